/** How commands speak: tables for people, one JSON value (or one a line) on stdout for programs, errors for both. */
import { describeError } from "../../tools/errors.ts";
import { table as textTable } from "../../tools/text-table.ts";

/** Wrong usage, as opposed to a failure; exit code 2. */
export class UsageError extends Error {
  readonly hint: string;
  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

export interface Output {
  json: boolean;
  /** One JSON value, or the text for people. */
  result(value: unknown, text: () => string): void;
  /** One line of a stream: always JSON with `--json`. */
  line(value: unknown, text: string | null): void;
  /** For people only, on stderr, so that stdout stays the result. */
  note(text: string): void;
}

export function createOutput(json: boolean): Output {
  const print = (text: string): void => {
    process.stdout.write(visible(text.endsWith("\n") ? text : `${text}\n`));
  };
  return {
    json,
    result: (value, text) => print(json ? JSON.stringify(value) : text()),
    line(value, text) {
      if (json) print(JSON.stringify(value));
      else if (text !== null) print(text);
    },
    note(text) {
      if (!json) process.stderr.write(`${visible(text)}\n`);
    },
  };
}

/** Without the control characters by which a text from elsewhere could rewrite what the terminal shows. */
export function visible(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, "");
}

/** Prints the error where its reader looks and returns the exit code. */
export function reportError(error: unknown, json: boolean): number {
  const usage = error instanceof UsageError;
  const described = usage ? { code: "usage", message: error.message, hint: error.hint } : describeError(error);
  if (json) process.stdout.write(`${JSON.stringify({ error: described })}\n`);
  else process.stderr.write(visible(`clawdinator: ${described.message}\n  → ${described.hint}\n`));
  return usage ? 2 : 1;
}

/** A table with a header, for people. */
export function table(head: string[], rows: string[][]): string {
  return textTable([head, ...rows]);
}

export function shortId(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 12) : revision;
}

export function timeOf(at: number | null): string {
  return at === null ? "–" : new Date(at).toISOString().replace("T", " ").slice(0, 19);
}
