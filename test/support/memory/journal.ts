/** A writer's own record, outside of the memory: what it is about to do, and what was acknowledged. */
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import type { StormDocument } from "./plan.ts";

export interface Intent {
  type: "intent";
  number: number;
  token: string;
  document: StormDocument;
  kind: "append" | "own" | "topic";
  /** Tokens that stood in the text that its author had read, and do not in what it writes. */
  replaces: string[];
}

export interface Acknowledged {
  type: "acknowledged";
  number: number;
  token: string;
  document: StormDocument;
  revision: string;
}

export interface Refused {
  type: "refused";
  token: string;
  code: string;
  hint: string;
}

export type Entry = Intent | Acknowledged | Refused;

export interface Journal {
  entries: Entry[];
  /** On disk when this returns, whatever happens to the process. */
  add(entry: Entry): void;
  close(): void;
}

export function openJournal(path: string): Journal {
  const entries = readJournal(path);
  const file = openSync(path, "a");
  // A kill may have cut the last line.
  if (entries.length > 0) writeSync(file, "\n");
  return {
    entries,
    add(entry) {
      writeSync(file, `${JSON.stringify(entry)}\n`);
      if (entry.type === "acknowledged") fsyncSync(file);
      entries.push(entry);
    },
    close: () => closeSync(file),
  };
}

/** All whole lines of a journal; none when there is no such file. */
export function readJournal(path: string): Entry[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Entry];
      } catch {
        return [];
      }
    });
}
