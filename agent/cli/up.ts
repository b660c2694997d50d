/** `clawdinator up`: the gateway in the foreground. */
import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { describeError } from "../../tools/errors.ts";
import { readLastLines } from "../../tools/fleet/local/log-tail.ts";
import { keepCompiled } from "../compile-cache.ts";
import { loadConfig } from "../config.ts";
import { bootInstance } from "../gateway/boot.ts";
import type { Gateway } from "../gateway/main.ts";
import { fleetPaths } from "../paths.ts";
import type { CommandContext } from "./context.ts";
import type { Output } from "./output.ts";

/** A mind comes within a second; after this long its log is worth a look. */
const patienceMs = 5_000;
const logLines = 5;
/** What its mind gets to end, where the gateway cannot be loaded. */
const brokenStopMs = 1_000;

export async function up(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const home = typeof options.home === "string" ? options.home : resolve(context.home);
  const given = typeof options.config === "string" ? options.config : process.env.CLAWDINATOR_CONFIG;
  const named = given ? resolve(given) : null;
  const config = loadConfig({ path: named ?? fleetPaths(home).config, required: named !== null });
  const instance = typeof options.instance === "string" ? options.instance : null;
  const port = typeof options.port === "number" ? options.port : null;
  // A launched instance's output is its log, where nobody needs to be told how to log in.
  const output = instance === null ? context.output : null;
  output?.note(`starting ${config.instanceName} in ${home}`);
  const signals = listenForSignals();
  // Whoever read the output may have gone; the instance goes on.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  // Siblings that this one launches work by the same configuration.
  const environment = named ? { ...process.env, CLAWDINATOR_CONFIG: named } : process.env;
  const isAtTerminal = instance === null && process.stderr.isTTY === true;
  const boot = await bootInstance({ home, config, configPath: named, instance, environment, isAtTerminal });
  // The mind starts while this is being loaded.
  const { startGateway } = await import("../gateway/main.ts").catch(async (error: unknown) => {
    // A program that cannot be loaded: without this its mind would keep the process, and the lock, for ever.
    await boot.supervisor.stop(brokenStopMs);
    boot.releaseLock();
    throw error;
  });
  const gateway = await startGateway(boot, { port, maintainerName: userName() });
  signals.hand((signal) => void gateway.stop(signal));
  // One fault in the background must not take the instance down: whatever it was about is in the store, and is repeated.
  process.on("unhandledRejection", (reason) => {
    boot.log("error", "something failed in the background", { error: describeError(reason).message });
  });
  const patience = setTimeout(async () => {
    const log = await readLastLines(join(boot.identity.paths.logs, "mind.log"), logLines);
    output?.note(["still waiting for the mind, which is started again and again; its log says:", ...log].join("\n  "));
  }, patienceMs);
  const isReady = await Promise.race([gateway.ready.then(() => true), gateway.ended.then(() => false)]);
  clearTimeout(patience);
  if (isReady && output) announce(output, gateway, home);
  keepCompiled();
  const reason = await gateway.ended;
  output?.note(`${gateway.name} has stopped (${reason})`);
  // Whatever a library keeps open must not keep a stopped instance alive.
  process.exit(0);
}

function announce(output: Output, gateway: Gateway, home: string): void {
  const url = gateway.url();
  const login = gateway.loginToken ? `${url}/#login=${gateway.loginToken}` : null;
  output.result({ name: gateway.name, instance: gateway.instance, url, login, home }, () =>
    [
      "",
      `${gateway.name} is ready at ${url}`,
      `Log in:  ${login ?? "clawdinator maintainers login"}`,
      `Or ask:  npm run -s clawdinator -- ask "spawn a sibling"`,
      "Ctrl-C stops this instance; siblings go on in the background until `npm run -s clawdinator -- down`.",
    ].join("\n"),
  );
}

/** A signal that comes before there is anything to stop is kept until there is. */
function listenForSignals(): { hand(stop: (signal: string) => void): void } {
  let early: string | null = null;
  let stop = (signal: string): void => {
    early ??= signal;
  };
  // SIGHUP: the terminal was closed.
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => stop(signal));
  return {
    hand(next) {
      stop = next;
      if (early) next(early);
    },
  };
}

function userName(): string {
  try {
    return userInfo().username || "maintainer";
  } catch {
    return "maintainer";
  }
}
