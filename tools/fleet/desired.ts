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
  /** What each name ran before its last change: the way back. */
  previous?: Record<string, string>;
}

export interface Desired {
  commit: string;
  state: DesiredState;
  /** Revision by name. */
  previous: Record<string, string>;
}

export async function readDesired(store: Store): Promise<Desired> {
  const record = (await store.get(key))?.value as unknown as DesiredRecord | undefined;
  const parsed = desiredStateSchema.safeParse(record?.state);
  if (!record || !parsed.success) {
    throw new ConfigError("the store holds no readable desired state", {
      code: "desired_missing",
      hint: "start a fresh fleet with `clawdinator up`, or restore the store from a backup",
    });
  }
  return { commit: record.commit, state: parsed.data, previous: record.previous ?? {} };
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
    const state = change(record.state);
    const known = { ...record.previous, ...replacedRevisions(record.state, state) };
    const previous = Object.fromEntries(Object.entries(known).filter(([name]) => name in state.instances));
    return { ...record, commit, state, previous } as unknown as Json;
  });
}

function replacedRevisions(before: DesiredState, after: DesiredState): Record<string, string> {
  const replaced = Object.entries(after.instances).flatMap(([name, { revision }]) => {
    const old = before.instances[name]?.revision;
    return old !== undefined && old !== revision ? [[name, old] as const] : [];
  });
  return Object.fromEntries(replaced);
}
