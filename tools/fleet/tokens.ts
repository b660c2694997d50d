/**
 * The pool of chat tokens: each name speaks as a bot of its own, so each needs a token that no other name has. The pool is
 * the secrets `discord-token`, `discord-token-2` and so on; `tokenSecret` in the desired state says which name has which.
 */
import { ToolError } from "../errors.ts";
import type { Store } from "../store.ts";
import type { Step } from "../tool.ts";
import type { DesiredInstance, DesiredState } from "./model.ts";
import { compareNames } from "./name-order.ts";

/** What a name without a `tokenSecret` of its own reads. */
const usualTokenSecret = "discord-token";

const poolPattern = /^discord-token(?:-[a-z0-9]+)*$/;

/** A secret that may be a token: `instance` is the name that it is kept for, null where any may have it. */
export interface TokenSecret {
  name: string;
  instance: string | null;
}

export interface TokenPool {
  /** Every secret there is; values are not read. */
  list(): Promise<readonly TokenSecret[]>;
}

/**
 * The secret that a name is to have its token from: its own, the one it had, or the first that is free. Null where no
 * chat needs tokens. Throws ToolError `no_free_token`, which says who has which.
 */
export async function planToken(
  pool: TokenPool | null,
  { name, desired }: { name: string; desired: DesiredState },
): Promise<string | null> {
  if (!pool) return null;
  const secrets = (await pool.list()).filter((secret) => poolPattern.test(secret.name));
  const before = desired.instances[name]?.tokenSecret ?? null;
  const own = secrets.filter(({ instance }) => instance === name).map((secret) => secret.name);
  const [kept] = own.includes(before ?? usualTokenSecret) ? [before ?? usualTokenSecret] : own.toSorted(inOrder);
  if (kept !== undefined) return kept;
  const users = usersOf(desired, { secrets, except: name });
  const shared = secrets.filter(({ instance }) => instance === null).map((secret) => secret.name);
  const free = shared.filter((secret) => !users.has(secret)).toSorted(inOrder);
  const chosen = before !== null && free.includes(before) ? before : free[0];
  if (chosen !== undefined) return chosen;
  const used = shared.toSorted(inOrder).map((secret) => `${secret} is ${users.get(secret)}'s`);
  throw new ToolError(
    `there is no free Discord token for ${name}: ${used.length === 0 ? "no token is stored" : used.join(", ")}`,
    {
      code: "no_free_token",
      hint: `make another bot at https://discord.com/developers/applications, then \`clawdinator secrets put ${nextName(shared)}\``,
    },
  );
}

const keyOf = (name: string): string => `fleet/tokens/${name}`;

/** Tells a candidate its token: it must show that it is accepted before the desired state says that the name has it. */
export function assignTokenStep({ name, secret }: { name: string; secret: string }): Step {
  return {
    name: "assign_token",
    async run({ fleet }) {
      await fleet.store.put(keyOf(name), { formatVersion: 1, secret });
      return { result: { secret } };
    },
    async compensate({ fleet }) {
      await fleet.store.delete(keyOf(name));
    },
  };
}

/** The secret that a name is to have its token from; null for the usual one. */
export async function tokenSecretOf(
  { store, desired }: { store: Store; desired(): Promise<DesiredState> },
  name: string,
): Promise<string | null> {
  const wanted = (await desired()).instances[name]?.tokenSecret;
  if (wanted) return wanted;
  return ((await store.get(keyOf(name)))?.value as { secret: string } | undefined)?.secret ?? null;
}

/** Which name has which shared secret. */
function usersOf(
  desired: DesiredState,
  { secrets, except }: { secrets: readonly TokenSecret[]; except: string },
): Map<string, string> {
  const users = new Map<string, string>();
  const entries = Object.entries(desired.instances).sort(([a], [b]) => compareNames(a, b));
  for (const [name, entry] of entries) {
    if (name === except) continue;
    const secret = (entry as DesiredInstance).tokenSecret ?? usualTokenSecret;
    const hasOwn = secrets.some((one) => one.instance === name && one.name === secret);
    if (!hasOwn && !users.has(secret)) users.set(secret, name);
  }
  return users;
}

function nextName(taken: readonly string[]): string {
  if (!taken.includes(usualTokenSecret)) return usualTokenSecret;
  let n = 2;
  while (taken.includes(`${usualTokenSecret}-${n}`)) n++;
  return `${usualTokenSecret}-${n}`;
}

/** `discord-token`, then `-2` before `-10`. */
function inOrder(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
