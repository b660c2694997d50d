/** A request to the memory that cannot be done: what, on which document, why, and what to do next. */
export class MemoryError extends Error {
  readonly code: string;
  readonly hint: string;

  constructor(message: string, options: { code: string; hint: string; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "MemoryError";
    this.code = options.code;
    this.hint = options.hint;
  }
}
