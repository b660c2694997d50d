/** This user's own token for the command line, in a file that only this user can read. */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { ConfigError } from "../tools/errors.ts";

export interface Credentials {
  maintainer: string;
  token: string;
}

/** Null when there is no such file. */
export function readCredentials(path: string): Credentials | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw unreadable(path, error);
  }
  try {
    return parseCredentials(JSON.parse(text));
  } catch (error) {
    throw unreadable(path, error);
  }
}

export function writeCredentials(path: string, credentials: Credentials): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  const descriptor = openSync(temporary, "w", 0o600);
  try {
    writeSync(descriptor, `${JSON.stringify({ formatVersion: 1, ...credentials })}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, path);
}

/** Without a schema: every command reads this, and loading the library for schemas takes longer than the command. */
function parseCredentials(value: Record<string, unknown> | null): Credentials {
  const { formatVersion, maintainer, token, ...others } = value ?? {};
  const isKnown = formatVersion === 1 && Object.keys(others).length === 0;
  if (!isKnown || typeof maintainer !== "string" || typeof token !== "string")
    throw new Error("not of format version 1");
  return { maintainer, token };
}

function unreadable(path: string, cause: unknown): ConfigError {
  return new ConfigError(`cannot use the credentials in ${path}`, {
    code: "credentials_unreadable",
    hint: "delete the file and set CLAWDINATOR_TOKEN, or log in again with `clawdinator maintainers login`",
    cause,
  });
}
