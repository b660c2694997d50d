/**
 * What the bootstrap has done, in one file for each fleet: names, ids and times, never a secret. It saves work and keeps
 * decisions; what exists is always asked of the world.
 */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { ConfigError } from "../tools/errors.ts";
import { readFileIfThere, writeFileDurably } from "../tools/fleet/local/files.ts";
import type { Json } from "../tools/json.ts";

const outputsSchema = z.record(z.string(), z.json());
export type Outputs = { [key: string]: Json };

const schema = z.strictObject({
  formatVersion: z.literal(1),
  fleet: z.string(),
  /** Answers that later runs must agree with. */
  options: z.record(z.string(), z.string()),
  /** The one "yes", and what was shown for it. */
  consent: z
    .strictObject({
      at: z.string(),
      by: z.string(),
      name: z.string(),
      revision: z.string(),
      monthlyUsd: z.number(),
    })
    .nullable(),
  steps: z.record(
    z.string(),
    z.strictObject({
      state: z.enum(["running", "done"]),
      startedAt: z.string(),
      endedAt: z.string().nullable(),
      outputs: outputsSchema,
    }),
  ),
});
export type JournalRecord = z.output<typeof schema>;

export interface BootstrapJournal {
  path: string;
  /** What stands in it; a copy. */
  read(): JournalRecord;
  outputs(step: string): Outputs;
  /** Durable when it returns. Nothing is written in a dry run. */
  change(apply: (record: JournalRecord) => void): Promise<void>;
}

/** Reads it, or begins one. Throws ConfigError when the file is not understood: nothing is guessed. */
export async function openJournal(options: {
  path: string;
  fleet: string;
  dryRun: boolean;
}): Promise<BootstrapJournal> {
  const text = await readFileIfThere(options.path);
  let record: JournalRecord = { formatVersion: 1, fleet: options.fleet, options: {}, consent: null, steps: {} };
  if (text !== null) record = parseJournal(text, options.path);
  return {
    path: options.path,
    read: () => structuredClone(record),
    outputs: (step) => structuredClone(record.steps[step]?.outputs ?? {}) as Outputs,
    async change(apply) {
      const next = structuredClone(record);
      apply(next);
      record = next;
      if (options.dryRun) return;
      await mkdir(dirname(options.path), { recursive: true, mode: 0o700 });
      await writeFileDurably(options.path, `${JSON.stringify(schema.parse(next), null, 2)}\n`);
    },
  };
}

function parseJournal(text: string, path: string): JournalRecord {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new ConfigError(`the bootstrap's journal ${path} cannot be understood`, {
      code: "journal_unreadable",
      hint: "use the version that wrote it, or move the file away: what exists already is found again by looking",
      cause,
    });
  }
}
