/** A request to the memory that cannot be done: what, on which document, why, and what to do next. */
export class MemoryError extends Error {
  readonly code: string;
  readonly hint: string;
  /** Of a refused secret: the text's line, from 1, and what stands there. Never its value. */
  readonly place: { line: number; kind: string } | null;

  constructor(
    message: string,
    options: { code: string; hint: string; cause?: unknown; place?: { line: number; kind: string } },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MemoryError";
    this.code = options.code;
    this.hint = options.hint;
    this.place = options.place ?? null;
  }
}

const diskFull = new Set(["ENOSPC", "EDQUOT"]);
const notAllowed = new Set(["EACCES", "EPERM", "EROFS"]);

/** What the system says of a file step, as a MemoryError: `disk_full`, `memory_not_allowed` or `memory_unavailable`. */
export function asMemoryError(cause: unknown, what: string): MemoryError {
  if (cause instanceof MemoryError) return cause;
  const { code = "", message } = cause as NodeJS.ErrnoException;
  if (diskFull.has(code)) {
    return new MemoryError(`${what}: the disk is full`, {
      code: "disk_full",
      hint: "nothing that was written before is lost; make room and repeat it",
      cause,
    });
  }
  if (notAllowed.has(code)) {
    return new MemoryError(`${what}: it is not allowed (${code})`, {
      code: "memory_not_allowed",
      hint: "give this user the right to read and write the memory's directory",
      cause,
    });
  }
  if (code === "ENOENT") {
    return new MemoryError(`${what}: there is no such file or directory`, {
      code: "memory_unavailable",
      hint: "look at the name, and whether the memory's directory is there",
      cause,
    });
  }
  return new MemoryError(`${what}: ${message}`, {
    code: "memory_unavailable",
    hint: "repeat it; when it stays, look at the memory's directory and the network to it",
    cause,
  });
}
