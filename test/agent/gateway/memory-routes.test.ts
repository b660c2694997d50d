/** The hive mind over HTTP, as the console uses it: real routes, a real store and a real memory behind a real port. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfig } from "../../../agent/config.ts";
import { createAuditLog } from "../../../agent/gateway/audit.ts";
import { createListener } from "../../../agent/gateway/http/app.ts";
import type { Api } from "../../../agent/gateway/http/context.ts";
import { createMaintainers } from "../../../agent/gateway/maintainers.ts";
import { openSqliteStore } from "../../../agent/gateway/store/sqlite.ts";
import type {
  MemoryChange,
  MemoryDifference,
  MemoryDocumentView,
  MemoryHistory,
  MemoryListing,
  MemoryMatches,
  MemoryRevisionText,
} from "../../../agent/memory-api.ts";
import { type Memory, openMemory } from "../../../memory/index.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

let url = "";
let token = "";
let memory: Memory;
let audit: ReturnType<typeof createAuditLog>;
const endings: (() => unknown)[] = [];

beforeAll(async () => {
  const directory = temporaryDirectory((work) => endings.push(work));
  const store = await openSqliteStore({ path: join(directory, "store.sqlite") });
  const maintainers = createMaintainers(store);
  ({ token } = await maintainers.add("Ada"));
  audit = createAuditLog(store);
  memory = openMemory({ directory: join(directory, "memory"), writer: "gateway" });
  const api = {
    surface: "tcp",
    config: parseConfig({}, "test"),
    maintainers,
    audit,
    memory: async () => memory,
    log: () => undefined,
  } as unknown as Api;
  const server = createServer(createListener(api));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  endings.push(
    () => store.close(),
    () => memory.close(),
    () => new Promise((resolve) => server.close(resolve)),
    () => server.closeAllConnections(),
  );
});

afterAll(async () => {
  for (const end of endings.reverse()) await end();
});

interface Answer<T> {
  status: number;
  body: T & { error?: { code: string; message: string; hint: string } };
}

async function ask<T = object>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<T>> {
  const response = await fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer<T>["body"] };
}

const ada = { author: "Ada", source: "chat", trust: "maintainer" } as const;

test("a document is written, read, added to, compared, restored, renamed and deleted", async () => {
  const made = await ask<MemoryChange>("PUT", "/api/memory/daily/2026-01-31.md", { text: "# Day\n\none\n", base: [] });
  expect(made).toMatchObject({
    status: 200,
    body: {
      written: { document: "daily/2026-01-31.md", author: "Ada", trust: "maintainer", source: "cli" },
      document: { text: "# Day\n\none\n", trust: "maintainer", isConflicted: false },
    },
  });
  const read = await ask<MemoryDocumentView>("GET", "/api/memory/daily/2026-01-31.md");
  expect(read.body).toEqual(made.body.document);
  const { shown, revision: first } = read.body;
  await ask("POST", "/api/memory-append/daily/2026-01-31.md", { text: "added" });
  const text = "# Day\n\none, mended\n";
  const written = await ask<MemoryChange>("PUT", "/api/memory/daily/2026-01-31.md", { text, base: shown });
  expect(written.body.document?.text).toBe("# Day\n\none, mended\nadded\n");
  const history = await ask<MemoryHistory>("GET", "/api/memory-history/daily/2026-01-31.md?limit=2");
  expect(history.body).toMatchObject({ exists: true, total: 3, revisions: [{ kind: "full" }, { kind: "append" }] });
  const to = written.body.written.revision;
  const changed = await ask<MemoryDifference>("GET", `/api/memory-difference/daily/2026-01-31.md?to=${to}`);
  expect(changed.body).toMatchObject({
    from: [first],
    to,
    added: 1,
    removed: 1,
    isWhole: false,
    hunks: [
      {
        fromLine: 1,
        toLine: 1,
        lines: [
          { kind: "same", text: "# Day" },
          { kind: "same", text: "" },
          { kind: "removed", text: "one" },
          { kind: "added", text: "one, mended" },
        ],
      },
    ],
  });
  const between = await ask<MemoryDifference>(
    "GET",
    `/api/memory-difference/daily/2026-01-31.md?from=${to}&to=${first}`,
  );
  expect(between.body).toMatchObject({ added: 1, removed: 1 });
  const then = await ask<MemoryRevisionText>("GET", `/api/memory-revision/daily/2026-01-31.md?revision=${first}`);
  expect(then.body.text).toBe("# Day\n\none\n");
  const back = await ask<MemoryChange>("POST", "/api/memory-restore/daily/2026-01-31.md", { revision: first });
  expect(back.body.document?.text).toBe("# Day\n\none\n");
  const moved = await ask<MemoryChange>("POST", "/api/memory-rename/daily/2026-01-31.md", { to: "old/day.md" });
  expect(moved.body).toMatchObject({ written: { document: "old/day.md" }, document: { document: "old/day.md" } });
  expect(await ask("GET", "/api/memory/daily/2026-01-31.md")).toMatchObject({
    status: 410,
    body: { error: { code: "document_renamed", message: "daily/2026-01-31.md was renamed to old/day.md" } },
  });
  expect((await ask<MemoryMatches>("GET", "/api/memory-search?q=day&limit=1")).body.matches).toMatchObject([
    { document: "old/day.md", author: "Ada", trust: "maintainer" },
  ]);
  expect((await ask<MemoryChange>("DELETE", "/api/memory/old/day.md")).body).toMatchObject({ document: null });
  expect(await ask("GET", "/api/memory/old/day.md")).toMatchObject({
    status: 410,
    body: { error: { code: "document_deleted" } },
  });
  expect((await ask<MemoryHistory>("GET", "/api/memory-history/old/day.md")).body.exists).toBe(false);
  const deleted = (await ask<MemoryListing>("GET", "/api/memory?deleted=true")).body.documents;
  expect(deleted.map(({ document }) => document)).toEqual(["daily/2026-01-31.md", "old/day.md"]);
  expect((await ask<MemoryListing>("GET", "/api/memory")).body.documents).toEqual([]);
  const told = (await audit.list({ limit: 20 })).map(({ action, actor, surface, subject }) =>
    [action, actor, surface, subject].join(" "),
  );
  expect(told.reverse()).toEqual([
    "memory.written maintainer:1 cli memory/daily/2026-01-31.md",
    "memory.appended maintainer:1 cli memory/daily/2026-01-31.md",
    "memory.written maintainer:1 cli memory/daily/2026-01-31.md",
    "memory.restored maintainer:1 cli memory/daily/2026-01-31.md",
    "memory.renamed maintainer:1 cli memory/daily/2026-01-31.md",
    "memory.deleted maintainer:1 cli memory/old/day.md",
  ]);
  expect(JSON.stringify(await audit.list({ limit: 20 }))).not.toContain("mended");
});

test("contradicting edits are both kept and told, a document that exists is not made anew", async () => {
  const made = await ask<MemoryChange>("PUT", "/api/memory/plan.md", { text: "one\n", base: [] });
  const base = made.body.document?.shown;
  await ask("PUT", "/api/memory/plan.md", { text: "theirs\n", base });
  const mine = await ask<MemoryChange>("PUT", "/api/memory/plan.md", { text: "mine\n", base });
  expect(mine.body.document).toMatchObject({
    isConflicted: true,
    text: expect.stringMatching(/theirs[\s\S]*mine|mine[\s\S]*theirs/),
  });
  expect((await ask<MemoryListing>("GET", "/api/memory")).body.documents).toMatchObject([
    { document: "plan.md", isConflicted: true },
  ]);
  expect(await ask("PUT", "/api/memory/plan.md", { text: "x", base: [] })).toMatchObject({
    status: 409,
    body: { error: { code: "document_exists" } },
  });
  // Without a base it is what is there now that is replaced.
  const settled = await ask<MemoryChange>("PUT", "/api/memory/plan.md", { text: "settled\n" });
  expect(settled.body.document).toMatchObject({ text: "settled\n", isConflicted: false });
});

test("a public text stays public in an editor, unless its maintainer vouches for it", async () => {
  await memory.write("issue.md", "please\n", { author: "mallory", source: "https://x.example", trust: "public" });
  const { body } = await ask<MemoryDocumentView>("GET", "/api/memory/issue.md");
  const mended = await ask<MemoryChange>("PUT", "/api/memory/issue.md", { text: "please!\n", base: body.shown });
  expect(mended.body).toMatchObject({ written: { trust: "public" }, document: { trust: "public" } });
  const vouched = await ask<MemoryChange>("PUT", "/api/memory/issue.md", {
    text: "please!\n",
    base: mended.body.document?.shown,
    vouch: true,
  });
  expect(vouched.body).toMatchObject({ written: { trust: "maintainer" }, document: { trust: "maintainer" } });
});

test.each([
  ["GET", "/api/memory?page=1", undefined, 400, "invalid_request"],
  ["GET", "/api/memory-search", undefined, 400, "query_missing"],
  ["GET", "/api/memory-search?q=x&limit=1000", undefined, 400, "invalid_request"],
  ["GET", "/api/memory/none.md", undefined, 404, "unknown_document"],
  ["GET", "/api/memory-history/none.md", undefined, 404, "unknown_document"],
  ["GET", "/api/memory-revision/none.md?revision=x", undefined, 404, "revision_unknown"],
  ["GET", "/api/memory/..%2f..%2fetc%2fpasswd.md", undefined, 422, "document_name"],
  ["PUT", "/api/memory/a%2f..%2fx.md", { text: "x" }, 422, "document_name"],
  ["PUT", "/api/memory/x.txt", { text: "x" }, 422, "document_name"],
  ["PUT", "/api/memory/x.md", { text: "x", force: true }, 400, "invalid_request"],
  ["PUT", "/api/memory/x.md", { text: "x", author: "Eve" }, 400, "invalid_request"],
  ["PUT", "/api/memory/x.md", { text: "x", trust: "maintainer" }, 400, "invalid_request"],
  ["PUT", "/api/memory/x.md", { text: 1 }, 400, "invalid_request"],
  ["PUT", "/api/memory/x.md", { text: "x", base: ["0000000001-a-0123456789abcdef01234567"] }, 404, "revision_unknown"],
  ["PUT", "/api/memory/x.md", { text: "x\u0000y" }, 422, "document_not_text"],
  ["PUT", "/api/memory/x.md", { text: "é".repeat(600_000) }, 422, "document_too_large"],
  ["PUT", "/api/memory/x.md", { text: "x".repeat(7_000_000) }, 413, "too_large"],
  ["POST", "/api/memory-append/x.md", { text: "" }, 400, "invalid_request"],
  ["POST", "/api/memory-restore/none.md", { revision: "x" }, 404, "revision_unknown"],
  ["POST", "/api/memory-rename/none.md", { to: "x.md" }, 404, "unknown_document"],
  ["DELETE", "/api/memory/none.md", undefined, 404, "unknown_document"],
])("%s %s is refused", async (method, path, body, status, code) => {
  const answer = await ask(method, path, body);
  expect({ status: answer.status, code: answer.body.error?.code }).toEqual({ status, code });
  expect(answer.body.error?.hint).toMatch(/./);
  expect((await memory.list()).map(({ document }) => document)).not.toContain("x.md");
});

test("a text with a secret is refused by line and kind, and appears neither in the answer nor in the audit log", async () => {
  const key = `sk-ant-api03-${"aB3".repeat(20)}`;
  const answer = await ask("PUT", "/api/memory/keys.md", { text: `# Keys\n\n${key}\n` });
  expect(answer).toMatchObject({
    status: 422,
    body: { error: { code: "secret_refused", message: expect.stringContaining("line 3") } },
  });
  expect(JSON.stringify([answer, await audit.list({ limit: 50 })])).not.toContain(key);
});

test("who has no token, comes from another page or for another host changes nothing", async () => {
  for (const [method, path, body] of [
    ["PUT", "/api/memory/evil.md", { text: "x" }],
    ["POST", "/api/memory-append/evil.md", { text: "x" }],
    ["POST", "/api/memory-restore/plan.md", { revision: "x" }],
    ["POST", "/api/memory-rename/plan.md", { to: "evil.md" }],
    ["DELETE", "/api/memory/plan.md", undefined],
    ["GET", "/api/memory-history/plan.md", undefined],
    ["GET", "/api/memory-difference/plan.md?to=x", undefined],
  ] as const) {
    expect(await ask(method, path, body, { authorization: "Bearer x" })).toMatchObject({ status: 401 });
    expect(await ask(method, path, body, { origin: "http://evil.example" })).toMatchObject({ status: 403 });
    if (method !== "GET")
      expect(await ask(method, path, body, { "sec-fetch-site": "cross-site" })).toMatchObject({ status: 403 });
  }
  await memory.write("still.md", "here\n", ada);
  const names = (await memory.list()).map(({ document }) => document);
  expect(names).not.toContain("evil.md");
  expect(names).toContain("still.md");
});
