/** The console's memory pages over a real memory in a directory of its own: the gateway's routes, the files, the browser. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Hono } from "hono";
import type { Browser, Page } from "playwright-core";
import { onTestFinished } from "vitest";
import type { Api, Environment } from "../../agent/gateway/http/context.ts";
import { memoryRoutes } from "../../agent/gateway/http/memory-routes.ts";
import { answerProblem } from "../../agent/gateway/http/problem.ts";
import { type Memory, openMemory, type Provenance } from "../../memory/index.ts";
import { loginByLink, openPage } from "./browser.ts";
import type { ConsoleFake } from "./console-fake.ts";
import { openConsole } from "./console-session.ts";
import { temporaryDirectory } from "./temporary.ts";

export const byAda: Provenance = { author: "Ada", source: "console", trust: "maintainer" };
export const byBot: Provenance = { author: "CLAWDINATOR-2", source: "discord #general", trust: "self" };
export const byStranger: Provenance = {
  author: "CLAWDINATOR-2",
  source: "https://github.com/openclaw/openclaw/issues/12",
  trust: "public",
};

export interface MemoryConsole {
  page: Page;
  fake: ConsoleFake;
  /** Where the files lie that people may edit by hand. */
  directory: string;
  /** Another writer's handle on the same directory, as a sibling has it. */
  sibling: Memory;
  /** A second person's browser. */
  openAnother(name: string): Promise<Page>;
  /** Goes to an address of the console and waits for its heading. */
  go(hash: string, heading: string): Promise<void>;
}

/** A person's name behind a browser's requests; Ada without it. */
const nameHeader = "x-test-person";

export async function openMemoryConsole(
  browser: Browser,
  options: Parameters<typeof openPage>[1] & { fill?: (sibling: Memory) => Promise<unknown> } = {},
): Promise<MemoryConsole> {
  const directory = join(temporaryDirectory(), "memory");
  mkdirSync(directory);
  const [own, sibling] = [openMemory({ directory, writer: "gateway" }), openMemory({ directory, writer: "sibling" })];
  onTestFinished(async () => {
    await own.close();
    await sibling.close();
  });
  await options.fill?.(sibling);
  const { page, fake } = await openConsole(browser, { ...options, furtherRoutes: routesOf(own) });
  return {
    page,
    fake,
    directory,
    sibling,
    async openAnother(name) {
      const other = await openPage(browser, options);
      onTestFinished(() => other.context().close());
      await other.context().setExtraHTTPHeaders({ [nameHeader]: name });
      await loginByLink(other, fake.loginUrl);
      return other;
    },
    go: (hash, heading) => goTo(page, hash, heading),
  };
}

/** Goes to an address of the console and waits for its heading. */
export async function goTo(page: Page, hash: string, heading: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await page.getByRole("heading", { name: heading, level: 1, exact: true }).waitFor();
}

/** As when the person comes back to this tab: the page looks at once. */
export async function lookAgain(page: Page): Promise<void> {
  await page.evaluate(`document.dispatchEvent(new Event("visibilitychange"))`);
}

function routesOf(memory: Memory): Hono {
  const app = new Hono<Environment>();
  app.onError((error, context) =>
    answerProblem(error, context, (fault) => {
      throw fault;
    }),
  );
  const api = { memory: async () => memory, audit: { write: async () => undefined } };
  memoryRoutes(api as unknown as Api, (method, path, _meaning, handler) =>
    app.on(method, path, async (context, next) => {
      const name = context.req.header(nameHeader) ?? "Ada";
      const maintainer = { id: `m-${name}`, name } as never;
      context.set("actor", { maintainer, surface: "console", asLocal: false, by: maintainer });
      return (await handler(context)) ?? next();
    }),
  );
  return app as unknown as Hono;
}
