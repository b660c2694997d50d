/**
 * An interaction acts once. Discord's id of it is claimed in the store before anything is changed: delivered again,
 * after a resumed session or by whoever kept a copy, it does nothing.
 */
import type { Store } from "../../../../../tools/store.ts";

/** Discord's tokens of interactions live 15 minutes; nothing older can come again with an answer to it. */
export const interactionKeptMs = 24 * 3600 * 1000;

/** Old claims are removed this often at most. */
const tidyEveryMs = 3600 * 1000;

export interface Once {
  /** False when it was claimed before. */
  claim(interaction: string): Promise<boolean>;
}

export function createOnce(store: Store): Once {
  let tidyAt = 0;
  const prefix = "discord/interactions/";

  const tidy = async (now: number): Promise<void> => {
    for (const { key } of await store.list(prefix)) {
      const at = Number(((await store.get(key))?.value as { at?: number } | undefined)?.at ?? 0);
      if (now - at > interactionKeptMs) await store.delete(key);
    }
  };

  return {
    async claim(interaction) {
      const now = await store.now();
      const { written } = await store.put(`${prefix}${interaction}`, { formatVersion: 1, at: now }, { ifAbsent: true });
      if (written && now > tidyAt) {
        tidyAt = now + tidyEveryMs;
        // What is left over is removed the next time.
        void tidy(now).catch(() => {});
      }
      return written;
    },
  };
}
