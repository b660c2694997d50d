/** The desired state that is executed: what approved operations made of it, recorded in the store. */
import { ConfigError } from "../errors.ts";
import type { Json } from "../json.ts";
import { type Store, update } from "../store.ts";
import { type DesiredState, desiredStateSchema } from "./model.ts";

const key = "fleet/desired";

interface DesiredRecord {
  formatVersion: 1;
  /** The fleet repository's commit that says the same. */
  commit: string;
  state: DesiredState;
}

export async function readDesired(store: Store): Promise<{ commit: string; state: DesiredState }> {
  const record = (await store.get(key))?.value as unknown as DesiredRecord | undefined;
  const parsed = desiredStateSchema.safeParse(record?.state);
  if (!record || !parsed.success) {
    throw new ConfigError("the store holds no readable desired state", {
      code: "desired_missing",
      hint: "start a fresh fleet with `clawdinator up`, or restore the store from a backup",
    });
  }
  return { commit: record.commit, state: parsed.data };
}

export async function writeFirstDesired(store: Store, first: { commit: string; state: DesiredState }): Promise<void> {
  const record: DesiredRecord = { formatVersion: 1, ...first };
  await store.put(key, record as unknown as Json, { ifAbsent: true });
}

/** Applies an approved change; a change that is there already leaves everything as it is. */
export async function changeDesired(
  store: Store,
  change: (state: DesiredState) => DesiredState,
  commit: string,
): Promise<void> {
  await update<Json>(store, key, (current) => {
    const record = current as unknown as DesiredRecord;
    return { ...record, commit, state: change(record.state) } as unknown as Json;
  });
}
