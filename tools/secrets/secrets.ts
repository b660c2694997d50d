/**
 * Secrets: what the fleet must know and nobody must read. A secret is shared by the fleet, or one instance's own, which
 * goes before the shared one of the same name. Where they are kept decides the provider: files of this machine, or
 * Secrets Manager. Values leave a store through `read` alone, and never stand in errors, logs, audit or heartbeats.
 */
import { createPrivateKey } from "node:crypto";
import { z } from "zod";
import { isKnownError, ToolError } from "../errors.ts";

export const secretNameSchema = z
  .string()
  .max(60)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "a secret is named in lower-case letters, digits and dashes: discord-token");

/** Which secret: `instance` is null for the one that all share. */
export interface SecretRef {
  name: string;
  instance: string | null;
}

export interface SecretInfo extends SecretRef {
  source: "file" | "environment" | "secrets-manager";
  /** Opaque; another one with every new value. Says nothing about the value. */
  version: string;
  /** Milliseconds since 1970, where the source knows it. */
  changedAt: number | null;
  /** Version of the value before, kept until it is confirmed that nobody needs it. */
  previous: string | null;
}

export interface Secret {
  info: SecretInfo;
  value: string;
}

export interface SecretPut {
  info: SecretInfo;
  /** There was none of this name before. */
  created: boolean;
  /** False when it had this value already. */
  changed: boolean;
}

export interface SecretStore {
  kind: "local" | "aws";
  /** For people: `Secrets Manager in eu-central-1 (clawdinator/…)`. */
  place: string;
  /** US dollars a month for each secret, with where the figure comes from. */
  cost: { monthlyUsdEach: number; note: string };
  /** Every secret there is, sorted; never a value. */
  list(): Promise<SecretInfo[]>;
  /** What an instance would read now, by name; as few calls as possible, so it may be some minutes old. */
  look(options: { instance: string; names: readonly string[] }): Promise<Map<string, SecretInfo>>;
  /** Exactly this one, as it is now; null where there is none. */
  read(ref: SecretRef): Promise<Secret | null>;
  /** Atomic and safe to repeat; the value before is kept as the previous one. */
  put(ref: SecretRef, value: string, options?: { mustExist?: boolean }): Promise<SecretPut>;
  /** The previous value is needed no more. Returns whether there was one. */
  confirm(ref: SecretRef): Promise<boolean>;
  /** The previous value becomes the current one, and the other way round. Throws ToolError where there is none. */
  restore(ref: SecretRef): Promise<SecretInfo>;
}

export interface KnownSecret {
  name: string;
  meaning: string;
  isOptional: boolean;
  /** Variable that holds it where no file does. */
  variable: string;
}

export const knownSecrets: readonly KnownSecret[] = [
  { name: "anthropic-api-key", meaning: "key for Claude", isOptional: false, variable: "ANTHROPIC_API_KEY" },
  { name: "discord-token", meaning: "token of the Discord bot", isOptional: false, variable: "DISCORD_TOKEN" },
  { name: "github-app-pem", meaning: "private key of the GitHub App", isOptional: false, variable: "GITHUB_APP_PEM" },
  { name: "openai-api-key", meaning: "key for GPT", isOptional: true, variable: "OPENAI_API_KEY" },
];

/** `discord-token`, or `CLAWDINATOR-2/discord-token`. */
export function secretPath({ name, instance }: SecretRef): string {
  return instance === null ? name : `${instance}/${name}`;
}

/** The code of an error that says: this role may not. Of what does not exist, AWS may say no more than that. */
export const deniedCode = "secret_denied";

/**
 * What an instance reads under a name: its own before the shared one. One that may not be read is passed over while
 * the other is there; throws where neither can be told to be missing.
 */
export async function readSecret(
  store: Pick<SecretStore, "read">,
  options: { name: string; instance: string },
): Promise<Secret | null> {
  let denied: unknown = null;
  for (const instance of [options.instance, null]) {
    try {
      const found = await store.read({ name: options.name, instance });
      if (found) return found;
    } catch (error) {
      if (!isKnownError(error) || error.code !== deniedCode) throw error;
      denied = error;
    }
  }
  if (denied !== null) throw denied;
  return null;
}

/** Of all secrets those that an instance reads, by name. */
export function secretsOf(infos: readonly SecretInfo[], instance: string): Map<string, SecretInfo> {
  const shared = infos.filter((info) => info.instance === null);
  const own = infos.filter((info) => info.instance === instance);
  return new Map([...shared, ...own].map((info) => [info.name, info]));
}

export function compareSecrets(a: SecretRef, b: SecretRef): number {
  const [left, right] = [secretPath(a), secretPath(b)];
  return Number(a.instance !== null) - Number(b.instance !== null) || (left < right ? -1 : left > right ? 1 : 0);
}

export function noPrevious(ref: SecretRef): ToolError {
  return new ToolError(`${secretPath(ref)} has no previous value`, {
    code: "no_previous",
    hint: "it was confirmed, or the secret never changed; put the value you want with `clawdinator secrets put`",
  });
}

/** What Secrets Manager holds at most. */
const maxBytes = 65_536;

/**
 * A value as people hand it over, as it is kept: without the line end that a file or a terminal adds, but for a PEM,
 * which keeps it. Throws ToolError, which never shows the value, for what cannot be right.
 */
export function normalizeSecret(name: string, text: string): string {
  const isPem = name.endsWith("-pem");
  const value = isPem ? text : text.replace(/(\r?\n)+$/, "");
  const refuse = (problem: string, hint: string): never => {
    throw new ToolError(`the value for ${name} ${problem}`, { code: "secret_malformed", hint });
  };
  if (value.trim() === "") refuse("is empty", "give it by --from-file, on standard input or at the prompt");
  if (Buffer.byteLength(value) > maxBytes) refuse(`is longer than ${maxBytes} bytes`, "this is hardly a secret");
  if (value.includes("\0")) refuse("holds a zero byte", "a secret is text");
  if (isPem && !isPrivateKey(value)) {
    refuse(
      "is not a PEM private key",
      "give the whole file that was downloaded, from `-----BEGIN … PRIVATE KEY-----` to its END line, without a passphrase",
    );
  }
  if (!isPem && knownSecrets.some((known) => known.name === name) && /\s/.test(value)) {
    refuse("holds spaces or line breaks", "a key or token is one word: copy it alone");
  }
  return value;
}

function isPrivateKey(text: string): boolean {
  if (!/^\s*-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----[\s\S]+-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----\s*$/.test(text))
    return false;
  try {
    createPrivateKey(text);
    return true;
  } catch {
    return false;
  }
}

/** Runs `work`; what it throws does not show the value, whoever put it there. */
export async function withoutValue<T>(value: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const quoted = JSON.stringify(value).slice(1, -1);
    const shows = (text: string): boolean => text.includes(value) || text.includes(quoted);
    for (let one: unknown = error; one instanceof Error; one = one.cause) {
      if (!shows(one.message) && !shows(one.stack ?? "")) continue;
      one.message = one.message.replaceAll(value, "[secret]").replaceAll(quoted, "[secret]");
      one.stack = `${one.name}: ${one.message}`;
    }
    throw error;
  }
}
