/** The fleet-wide pause: no operation starts and none is proposed; what runs goes on, and chat is answered. */
import type { Store } from "../../tools/store.ts";

const key = "fleet/paused";

export interface Pause {
  isPaused(): Promise<boolean>;
  set(paused: boolean, by: string): Promise<void>;
}

export function createPause(store: Store): Pause {
  return {
    async isPaused() {
      const record = (await store.get(key))?.value as { paused: boolean } | undefined;
      return record?.paused ?? false;
    },
    async set(paused, by) {
      await store.put(key, { formatVersion: 1, paused, by, at: await store.now() });
    },
  };
}
