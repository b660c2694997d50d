import { MemoryError } from "../memory/errors.ts";

/** A failure that a person is meant to read: what failed, on which thing, why; and what to do next. */
abstract class ReadableError extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(message: string, options: { code: string; hint: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.hint = options.hint;
  }
}

/** The user's settings, files or machine are not as they must be. */
export class ConfigError extends ReadableError {}

/** A tool or operation cannot do what it was asked; the model or the person reads the message. */
export class ToolError extends ReadableError {}

/** Code of a ToolError that says: not on this machine, for want of memory, disk or a program; another may have them. */
export const notOnThisMachine = "build_impossible_here";

/** Something outside (a model, a cloud, a host) failed or refused. */
export class ProviderError extends ReadableError {}

export type KnownError = ConfigError | ToolError | ProviderError | MemoryError;

export function isKnownError(error: unknown): error is KnownError {
  return error instanceof ReadableError || error instanceof MemoryError;
}

/** As the system (ENOSPC, EDQUOT) or SQLite (13, SQLITE_FULL) reports it. */
function isDiskFull(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { code, errcode, cause } = error as { code?: unknown; errcode?: unknown; cause?: unknown };
  const isFull = code === "ENOSPC" || code === "EDQUOT" || (typeof errcode === "number" && (errcode & 0xff) === 13);
  return isFull || isDiskFull(cause);
}

/** `{ code, message, hint }` of any throw; an unknown one gets the code `internal`. */
export function describeError(error: unknown): { code: string; message: string; hint: string } {
  if (isKnownError(error)) return { code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? error.message : String(error);
  if (isDiskFull(error)) {
    return {
      code: "disk_full",
      message: `the disk is full: ${message}`,
      hint: "free some space and try again; nothing that was confirmed is lost",
    };
  }
  return {
    code: "internal",
    message,
    hint: "this is a fault in the program: run with --log-level debug and report it",
  };
}
