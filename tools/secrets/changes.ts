/**
 * How a new value reaches running instances: the coordination store says that a secret changed, each instance takes it
 * up and says so in its heartbeat. Versions only; no value comes near the store.
 */
import { z } from "zod";
import { readHolder } from "../fleet/heartbeats.ts";
import type { Check } from "../fleet/model.ts";
import { readNames } from "../fleet/names.ts";
import type { Json } from "../json.ts";
import { type Store, update } from "../store.ts";
import { type SecretInfo, type SecretRef, secretPath } from "./secrets.ts";

const key = "secrets/changed";

const changesSchema = z.object({
  formatVersion: z.literal(1),
  /** By `secretPath`. `at`: when it changed, by the clock of the secrets' own store. */
  changes: z.record(z.string(), z.object({ version: z.string(), at: z.number().nullable() })),
});
type Changes = z.output<typeof changesSchema>;

export interface SecretChange extends SecretRef {
  version: string;
  at: number | null;
}

/** Tells every instance of a new version. Telling it again changes nothing. */
export async function announceSecret(store: Store, info: SecretInfo): Promise<void> {
  const path = secretPath(info);
  await update<Json>(store, key, (current) => {
    const parsed = changesSchema.safeParse(current);
    const changes = parsed.success ? parsed.data.changes : {};
    if (changes[path]?.version === info.version) return undefined;
    const next: Changes = {
      formatVersion: 1,
      changes: { ...changes, [path]: { version: info.version, at: info.changedAt } },
    };
    return next as unknown as Json;
  });
}

/** The newest version of each secret that was ever announced, with the record's own version to compare by. */
export async function readChanges(store: Store): Promise<{ seen: string | null; changes: SecretChange[] }> {
  const entry = await store.get(key);
  const parsed = changesSchema.safeParse(entry?.value);
  const changes = parsed.success
    ? Object.entries(parsed.data.changes).map(([path, change]) => ({ ...refOf(path), ...change }))
    : [];
  return { seen: entry?.version ?? null, changes };
}

function refOf(path: string): SecretRef {
  const slash = path.indexOf("/");
  return slash < 0 ? { name: path, instance: null } : { name: path.slice(slash + 1), instance: path.slice(0, slash) };
}

/** The check by which an instance says what it took up. */
export function takenCheck(info: SecretInfo): Check {
  return { name: checkName(info), ok: true, detail: `${secretPath(info)} version ${info.version}` };
}

/** An instance's check about a secret that is there no more. */
export function removedCheck(ref: SecretRef): Check {
  return { name: checkName(ref), ok: true, detail: "there is none any more" };
}

function checkName({ name }: SecretRef): string {
  return `secret ${name}`;
}

export interface Uptake {
  name: string;
  instance: string;
  /** `taken`: has this version. `waiting`: still another. `own`: uses its own in place of it. `unknown`: says nothing. */
  state: "taken" | "waiting" | "own" | "unknown";
}

/** What an instance that runs says of itself. */
export interface Holder {
  name: string;
  instance: string;
  checks: Check[];
}

/** Everyone who holds a name and its lease now, with the checks of their last heartbeat. */
export async function readHolders(store: Store): Promise<Holder[]> {
  const now = await store.now();
  const held = (await readNames(store)).flatMap(({ name, epoch, holder, leaseUntil }) =>
    holder !== null && now <= leaseUntil ? [{ name, epoch, instance: holder }] : [],
  );
  return Promise.all(
    held.map(async ({ name, epoch, instance }) => {
      const heartbeat = await readHolder(store, { name, epoch });
      return { name, instance, checks: heartbeat?.checks ?? [] };
    }),
  );
}

/** Which of them have taken up this version; those that it is not for are left out. */
export function uptakeOf(info: SecretInfo, holders: readonly Holder[]): Uptake[] {
  return holders
    .filter(({ name }) => info.instance === null || info.instance === name)
    .map(({ name, instance, checks }) => {
      const said = checks.find((check) => check.name === checkName(info))?.detail;
      return { name, instance, state: stateOf(info, said) };
    });
}

function stateOf(info: SecretInfo, said: string | undefined): Uptake["state"] {
  if (said === undefined) return "unknown";
  if (said === takenCheck(info).detail) return "taken";
  // What an instance reads under a name is the shared secret or its own.
  return info.instance === null && said.includes("/") ? "own" : "waiting";
}
