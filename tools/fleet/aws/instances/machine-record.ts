/**
 * What the store knows of a machine: written before the launch is asked for and completed after it, so that whoever
 * comes next knows that there may be a machine, even where no answer came and EC2 does not show it yet.
 */
import { z } from "zod";
import { ProviderError } from "../../../errors.ts";
import type { Json } from "../../../json.ts";
import type { Store, StoreEntry, Version } from "../../../store.ts";

const recordSchema = z.object({
  formatVersion: z.literal(1),
  /** EC2 instance id; null while no launch has been confirmed. */
  machine: z.string().nullable(),
  /** Store time just before the last attempt was sent. */
  launchedAt: z.number(),
  /** What every attempt sends alike, or the client token would be refused. */
  request: z.object({
    ami: z.string(),
    rootDevice: z.string(),
    port: z.number().int().nullable(),
    /** Index in the placement's subnets of the attempt that was sent; those before it were refused for good. */
    subnet: z.number().int().min(0),
  }),
});
export type MachineRecord = z.output<typeof recordSchema>;
export interface RecordedMachine {
  record: MachineRecord;
  version: Version;
}

export interface MachineRecords {
  read(instance: string): Promise<RecordedMachine | null>;
  /** Creates it, or replaces exactly `version`. `written: false` gives what stands there now. */
  write(
    instance: string,
    record: MachineRecord,
    version: Version | null,
  ): Promise<{ written: boolean; current: RecordedMachine | null }>;
  forget(instance: string, version?: Version): Promise<void>;
}

export function openMachineRecords(store: Store): MachineRecords {
  const keyOf = (instance: string): string => `machines/${instance}`;
  return {
    async read(instance) {
      return parse(await store.get(keyOf(instance)));
    },
    async write(instance, record, version) {
      const condition = version === null ? { ifAbsent: true as const } : { ifVersion: version };
      const result = await store.put(keyOf(instance), record as unknown as Json, condition);
      if (result.written) return { written: true, current: { record, version: result.version } };
      return { written: false, current: parse(result.current) };
    },
    async forget(instance, version) {
      await store.delete(keyOf(instance), version === undefined ? undefined : { ifVersion: version });
    },
  };
}

function parse(entry: StoreEntry | null): RecordedMachine | null {
  if (!entry) return null;
  const result = recordSchema.safeParse(entry.value);
  if (result.success) return { record: result.data, version: entry.version };
  throw new ProviderError(`the store's ${entry.key} is not a machine's record of format version 1`, {
    code: "machine_record_invalid",
    hint: "if a newer version of the program wrote it, run that one; it was left as it is",
  });
}
