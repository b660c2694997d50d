/** Looks at everything a start depends on and says what to do about what is missing. */
import { execFile } from "node:child_process";
import { accessSync, constants, mkdirSync, statfsSync } from "node:fs";
import { promisify } from "node:util";
import type { CostReport } from "../../tools/cost-report.ts";
import { describeError, ToolError } from "../../tools/errors.ts";
import type { Check } from "../../tools/fleet/model.ts";
import type { Config } from "../config.ts";
import { programRoot, readCheckout, readVersion } from "../gateway/identity.ts";
import { fleetPaths } from "../paths.ts";
import { connect } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { memoryCheck } from "./doctor-memory.ts";
import { readConfig } from "./read-config.ts";

const run = promisify(execFile);

/** An image with its dependencies takes about 60 MB; less free space than this is trouble soon. */
const leastFreeBytes = 500 * 1024 * 1024;

export async function version(context: CommandContext): Promise<void> {
  const { revision, dirty } = await readCheckout(programRoot).catch(() => ({ revision: "unknown", dirty: false }));
  const value = { version: readVersion(), revision, dirty, node: process.version };
  context.output.result(
    value,
    () => `clawdinator ${value.version} (${revision.slice(0, 12)}${dirty ? "+" : ""}), Node ${process.version}`,
  );
}

export async function doctor(context: CommandContext): Promise<void> {
  const { home } = context;
  const checks: Check[] = [
    await check("node", async () => `${process.version}`),
    await check("git", async () => (await run("git", ["--version"])).stdout.trim(), "install git"),
    await check("state directory", async () => {
      mkdirSync(home, { recursive: true, mode: 0o700 });
      accessSync(home, constants.W_OK);
      return home;
    }),
    await check("free space", async () => {
      const { bavail, bsize } = statfsSync(home);
      const free = bavail * bsize;
      if (free < leastFreeBytes)
        throw new Error(`${Math.round(free / 1e6)} MB free, ${Math.round(leastFreeBytes / 1e6)} MB wanted`);
      return `${Math.round(free / 1e9)} GB`;
    }),
    await check("configuration", async () => {
      readConfig(home);
      return process.env.CLAWDINATOR_CONFIG || fleetPaths(home).config;
    }),
    await check(
      "workspace",
      async () => {
        const config = readConfig(home);
        const { describeWorkspace } = await import("../workspace-report.ts");
        return await describeWorkspace(fleetPaths(home, config), config.instanceName);
      },
      "mend or move away what it names; the rest of the workspace works",
    ),
    await memoryCheck(context),
    ...(await providerChecks(home)),
    ...(await discordChecks(home)),
    ...(await gatewayChecks(context)),
    ...(await costChecks(context)),
  ];
  const ok = checks.every((one) => one.ok);
  context.output.result({ ok, checks }, () =>
    checks.map((one) => `${one.ok ? "ok  " : "FAIL"}  ${one.name}: ${one.detail}`).join("\n"),
  );
  if (!ok && !context.output.json)
    throw new ToolError("something is not as it should be", { code: "unhealthy", hint: "see the lines that say FAIL" });
  if (!ok) process.exitCode = 1;
}

/** Of the cloud, where there is one; the cloud's code is loaded only then. */
async function providerChecks(home: string): Promise<Check[]> {
  let config: Config;
  try {
    config = readConfig(home);
  } catch {
    // The check of the configuration has said it.
    return [];
  }
  if (config.provider !== "aws" || !config.aws) return [];
  const [{ createAwsClients }, { awsChecks }] = await Promise.all([
    import("../../tools/fleet/aws/clients.ts"),
    import("./doctor-aws.ts"),
  ]);
  const clients = createAwsClients({ region: config.aws.region });
  try {
    return await awsChecks({ clients, settings: config.aws, name: config.instanceName });
  } finally {
    clients.close();
  }
}

/** Whether the bot's token is good, without connecting; what the bot sees is a check of the instance. */
async function discordChecks(home: string): Promise<Check[]> {
  let config: Config;
  try {
    config = readConfig(home);
  } catch {
    // The check of the configuration has said it.
    return [];
  }
  if (!config.channels.discord.enabled) return [];
  const { examineToken } = await import("../gateway/channels/discord/connection/connection-examine.ts");
  return [
    { name: "discord", ...(await examineToken({ config, home, name: config.instanceName, environment: process.env })) },
  ];
}

async function gatewayChecks(context: CommandContext): Promise<Check[]> {
  try {
    const { checks } = await (await connect(context)).get<{ checks: Check[] }>("/control/checks");
    return checks.map((one) => ({ ...one, name: `instance: ${one.name}` }));
  } catch (error) {
    const { message, hint } = describeError(error);
    return [{ name: "instance", ok: false, detail: `${message}; ${hint}` }];
  }
}

/** What the ledger warns of, and an open breaker. Without a gateway the check above has said so. */
async function costChecks(context: CommandContext): Promise<Check[]> {
  try {
    const { warnings, breaker } = await (await connect(context)).get<CostReport>("/api/cost");
    return [
      // A price that is not known is worth a line and no failure: the model answers.
      ...warnings.map((detail) => ({ name: "cost", ok: true, detail: `warning: ${detail}` })),
      ...breaker.map(({ label, reason }) => ({
        name: "cost",
        ok: false,
        detail: `the breaker is open for ${label}: ${reason}; \`clawdinator cost reset\` closes it`,
      })),
    ];
  } catch {
    return [];
  }
}

async function check(name: string, look: () => Promise<string>, hint = ""): Promise<Check> {
  try {
    return { name, ok: true, detail: await look() };
  } catch (error) {
    return { name, ok: false, detail: [describeError(error).message, hint].filter(Boolean).join("; ") };
  }
}
