/** `clawdinator up`: the gateway in the foreground. */
import { userInfo } from "node:os";
import { resolve } from "node:path";
import { loadConfig } from "../config.ts";
import { bootInstance } from "../gateway/boot.ts";
import { fleetPaths } from "../paths.ts";
import type { CommandContext } from "./command-line.ts";

export async function up(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const home = typeof options.home === "string" ? options.home : resolve(context.home);
  const given = typeof options.config === "string" ? options.config : process.env.CLAWDINATOR_CONFIG;
  const named = given ? resolve(given) : null;
  const configPath = named ?? fleetPaths(home).config;
  const config = loadConfig({ path: configPath, required: named !== null });
  const instance = typeof options.instance === "string" ? options.instance : null;
  const { output } = context;
  if (instance === null) output.note(`starting ${config.instanceName} in ${home}`);
  // Siblings that this one launches work by the same configuration.
  const environment = named ? { ...process.env, CLAWDINATOR_CONFIG: named } : process.env;
  const boot = await bootInstance({ home, config, configPath: named, instance, environment });
  // The mind starts while this is being loaded.
  const { startGateway } = await import("../gateway/main.ts");
  const port = typeof options.port === "number" ? options.port : null;
  const gateway = await startGateway(boot, { port, maintainerName: userName() });
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => void gateway.stop(signal));
  }
  if (instance === null) {
    const url = gateway.url();
    const login = gateway.loginToken ? `${url}/#login=${gateway.loginToken}` : null;
    output.result({ name: gateway.name, instance: gateway.instance, url, login, home }, () =>
      [
        "",
        `${gateway.name} is ready at ${url}`,
        ...(login ? [`Log in:  ${login}`] : ["Log in:  clawdinator maintainers login"]),
        `Or ask:  npm run -s clawdinator -- ask "spawn a sibling"`,
        "Ctrl-C stops this instance; siblings go on in the background until `npm run -s clawdinator -- down`.",
      ].join("\n"),
    );
  }
  const reason = await gateway.ended;
  if (instance === null) output.note(`${gateway.name} has stopped (${reason})`);
  // Whatever a library keeps open must not keep a stopped instance alive.
  process.exit(0);
}

function userName(): string {
  try {
    return userInfo().username || "maintainer";
  } catch {
    return "maintainer";
  }
}
