/** `clawdinator secrets`: through the gateway of this machine, or straight to where `--config` says they are kept. */
import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { isKnownError, ToolError } from "../../tools/errors.ts";
import { instanceNameSchema } from "../../tools/fleet/model.ts";
import type { Uptake } from "../../tools/secrets/changes.ts";
import { normalizeSecret, secretNameSchema, secretPath } from "../../tools/secrets/secrets.ts";
import type { Store } from "../../tools/store.ts";
import type { Config } from "../config.ts";
import type { SecretAction, SecretOutcome, SecretsView } from "../gateway/secrets.ts";
import { fleetPaths } from "../paths.ts";
import { connect } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { table, timeOf, UsageError } from "./output.ts";
import { readConfig } from "./read-config.ts";
import { readSecretText } from "./secret-input.ts";

interface SecretRequest {
  action: SecretAction;
  name: string;
  instance: string | null;
  value: string | null;
}

/** Who carries it out. */
interface Door {
  list(): Promise<SecretsView>;
  act(request: SecretRequest): Promise<SecretOutcome>;
}

/** An instance looks every five minutes, and at once when it is told. */
const uptakeDeadlineMs = 10 * 60_000;
const uptakePollMs = 2_000;

export async function list(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const view = await withDoor(context, options, (door) => door.list());
  context.output.result(view, () =>
    [
      table(
        ["SECRET", "SOURCE", "CHANGED (UTC)", "VERSION", "PREVIOUS", "TAKEN UP"],
        view.secrets.map((one) => [
          secretPath(one),
          one.source,
          timeOf(one.changedAt),
          one.version,
          one.previous ? "kept" : "–",
          summary(one.uptake),
        ]),
      ),
      "",
      `in ${view.place}; $${view.cost.monthlyUsd} a month (${view.cost.note})`,
    ].join("\n"),
  );
}

export async function put(context: CommandContext, name: string, options: Record<string, unknown>): Promise<void> {
  const ref = refOf(name, options);
  const value = await readValue(ref.name, options);
  const outcome = await withDoor(context, options, (door) => door.act({ ...ref, action: "put", value }));
  show(context, outcome, outcome.changed ? "is stored" : "has this value already");
}

export async function rotate(context: CommandContext, name: string, options: Record<string, unknown>): Promise<void> {
  const ref = refOf(name, options);
  if (options.confirm === true && options.undo === true)
    throw new UsageError("--confirm and --undo contradict each other", "give one of them");
  const action = options.confirm === true ? "confirm" : options.undo === true ? "undo" : "rotate";
  const value = action === "rotate" ? await readValue(ref.name, options) : null;
  await withDoor(context, options, async (door) => {
    const first = await door.act({ ...ref, action, value });
    const isFollowed = options.wait === true && action !== "confirm";
    const outcome = isFollowed ? await followUptake(context, door, first) : first;
    show(context, outcome, said(outcome));
  });
}

function said({ action, changed, secret }: SecretOutcome): string {
  if (action === "undo") return "is back at its previous value";
  if (action === "confirm") return changed ? "has no previous value any more" : "had no previous value";
  if (!changed) return "has this value already";
  return secret.previous
    ? "is rotated; the previous value is kept until `secrets rotate NAME --confirm`"
    : "is rotated";
}

function show(context: CommandContext, outcome: SecretOutcome, what: string): void {
  const { secret, uptake } = outcome;
  context.output.result(outcome, () =>
    [
      `${secretPath(secret)} ${what} (version ${secret.version})`,
      ...(uptake ?? []).map(({ name, state }) => `  ${name}: ${meaning[state]}`),
      ...(uptake === null ? ["  no fleet to tell yet: instances find it when they start"] : []),
    ].join("\n"),
  );
}

const meaning: Record<Uptake["state"], string> = {
  taken: "has taken it up",
  waiting: "has not taken it up yet",
  own: "uses a secret of its own in place of it",
  unknown: "has not said what it uses",
};

function summary(uptake: Uptake[] | null): string {
  if (uptake === null) return "–";
  const concerned = uptake.filter(({ state }) => state !== "own");
  return `${concerned.filter(({ state }) => state === "taken").length}/${concerned.length}`;
}

/** Until every running instance has taken it up. */
async function followUptake(context: CommandContext, door: Door, first: SecretOutcome): Promise<SecretOutcome> {
  const end = performance.now() + uptakeDeadlineMs;
  let outcome = first;
  for (;;) {
    const open = (outcome.uptake ?? []).filter(({ state }) => state === "waiting" || state === "unknown");
    if (open.length === 0) return outcome;
    const names = open.map(({ name }) => name).join(", ");
    if (performance.now() > end) {
      throw new ToolError(`${secretPath(first.secret)} is rotated, and ${names} did not take it up in time`, {
        code: "not_taken_up",
        hint: "its check `secrets` says why: `clawdinator fleet status --json`; `--undo` brings the old value back",
      });
    }
    context.output.note(`waiting for ${names}`);
    await sleep(uptakePollMs);
    const now = (await door.list()).secrets.find((one) => secretPath(one) === secretPath(first.secret));
    outcome = { ...outcome, uptake: now?.uptake ?? null };
  }
}

function refOf(name: string, options: Record<string, unknown>): { name: string; instance: string | null } {
  const parsed = secretNameSchema.safeParse(name);
  if (!parsed.success) throw new UsageError(`"${name}" is not a secret's name`, "such as discord-token");
  const instance = typeof options.instance === "string" ? options.instance : null;
  if (instance !== null && !instanceNameSchema.safeParse(instance).success)
    throw new UsageError(`"${instance}" is not an instance's name`, "such as CLAWDINATOR-2");
  return { name, instance };
}

async function readValue(name: string, options: Record<string, unknown>): Promise<string> {
  const file = typeof options.fromFile === "string" ? options.fromFile : null;
  return normalizeSecret(name, await readSecretText(name, file));
}

/** The gateway that runs here; where none does, or `--config` names another fleet, the place itself. */
async function withDoor<T>(
  context: CommandContext,
  options: Record<string, unknown>,
  work: (door: Door) => Promise<T>,
): Promise<T> {
  const named = typeof options.config === "string" ? options.config : undefined;
  if (named === undefined) {
    const client = await connect(context).catch((error: unknown) => {
      if (isKnownError(error) && error.code === "no_gateway") return null;
      throw error;
    });
    if (client) {
      return work({
        list: () => client.get("/control/secrets"),
        act: (request) => client.post("/control/secrets", request),
      });
    }
  }
  return withPlace(context, named, work);
}

async function withPlace<T>(
  context: CommandContext,
  named: string | undefined,
  work: (door: Door) => Promise<T>,
): Promise<T> {
  const { createSecretsDesk, openSecrets } = await import("../gateway/secrets.ts");
  const { createAuditLog } = await import("../gateway/audit.ts");
  const config = readConfig(context.home, named);
  const secrets = await openSecrets({ config, home: context.home, environment: process.env });
  const opened = await openStore(config, context.home);
  const who = { actor: `user:${userName()}`, surface: "cli" };
  try {
    const fleet = opened && { store: opened.store, audit: createAuditLog(opened.store) };
    const desk = createSecretsDesk({ secrets, fleet });
    return await work({ list: () => desk.list(), act: (request) => desk.act(request, who) });
  } finally {
    await opened?.close();
  }
}

/** The coordination store; null where this machine has no fleet yet, which has nobody to tell either. */
async function openStore(config: Config, home: string): Promise<{ store: Store; close(): Promise<void> } | null> {
  if (config.provider !== "aws" || !config.aws) {
    const path = fleetPaths(home).store;
    if (!existsSync(path)) return null;
    const { openSqliteStore } = await import("../gateway/store/sqlite.ts");
    const store = await openSqliteStore({ path });
    return { store, close: () => store.close() };
  }
  const [{ createAwsClients }, { openS3Store }] = await Promise.all([
    import("../../tools/fleet/aws/clients.ts"),
    import("../gateway/store/s3.ts"),
  ]);
  const { bucket, region, storePrefix: prefix } = config.aws;
  const clients = createAwsClients({ region });
  const store = await openS3Store({ clients, bucket, prefix });
  return {
    store,
    async close() {
      await store.close();
      clients.close();
    },
  };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}
