/**
 * The fleet-wide pause, any maintainer's kill switch: no run and no operation begins, none is proposed and no job
 * starts, on any instance, until somebody resumes. What runs goes on; messages wait and are answered afterwards.
 */
import type { PausedBy } from "../../tools/fleet/model.ts";
import type { Store } from "../../tools/store.ts";

const key = "fleet/paused";

export interface Pause {
  /** Not older than this call: before anything begins. */
  isPaused(): Promise<boolean>;
  /** As far as it was heard of: for showing, and for what is looked at again and again. */
  peek(): Promise<PausedBy | null>;
  /** Who paused, when and why, not older than this call; null while the fleet is not paused. */
  current(): Promise<PausedBy | null>;
  /** `reason`: why, in the person's words. Pausing again puts another person and reason in the place of the former. */
  set(paused: boolean, by: { id: string; name: string; reason?: string | undefined }): Promise<void>;
}

/** Of records that an earlier version wrote only `paused`, `by` and `at` are there. */
interface PauseRecord {
  formatVersion: 1;
  paused: boolean;
  by: string;
  name?: string;
  reason?: string | null;
  at: number;
}

export function createPause(store: Store): Pause {
  const read = async (): Promise<PausedBy | null> => {
    const record = (await store.get(key))?.value as unknown as PauseRecord | undefined;
    if (!record?.paused) return null;
    return {
      maintainer: record.by,
      name: record.name ?? `maintainer ${record.by}`,
      reason: record.reason ?? null,
      at: record.at,
    };
  };
  const current = (): Promise<PausedBy | null> => {
    // Nothing that is written depends on the pause, so what was remembered of it must not decide.
    store.refresh?.(key);
    return read();
  };
  return {
    isPaused: async () => (await current()) !== null,
    current,
    peek: read,
    async set(paused, { id, name, reason }) {
      const why = reason?.trim() || null;
      await store.put(key, { formatVersion: 1, paused, by: id, name, reason: why, at: await store.now() });
    },
  };
}

/** What somebody is told whose message waits meanwhile. */
export function waitsText(paused: PausedBy): string {
  return `The fleet is ${describePause(paused)}. I answer this as soon as somebody resumes.`;
}

/** `paused by Ada: the bill is too high`. */
export function describePause({ name, reason }: PausedBy): string {
  return `paused by ${name}${reason === null ? "" : `: ${reason}`}`;
}
