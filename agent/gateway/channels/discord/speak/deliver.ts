/**
 * Answers that are on their way: `discord/deliveries/<name>/<message>` from when a message is taken until all of its answer
 * is there. Whoever holds the name next goes on with what is left.
 */
import type { Json } from "../../../../../tools/json.ts";
import { readAll, type Store, update } from "../../../../../tools/store.ts";
import type { RunEvent } from "../../../../protocol.ts";
import type { Place } from "../contract.ts";

type Picture = Omit<Extract<RunEvent, { type: "picture" }>, "type">;

/** What belongs to an answer and is not in its record in the inbox. */
export interface Extras {
  pictures: Picture[];
  notices: string[];
}

export const noExtras: Extras = { pictures: [], notices: [] };

export interface Delivery {
  formatVersion: 1;
  message: string;
  /** Of the inbox. */
  channel: string;
  conversation: string;
  place: Place;
  /** Nobody waits for it: shown when it is whole, and not at all when it has nothing to say. */
  isQuiet: boolean;
  extras: Extras;
  at: number;
}

export interface Deliveries {
  /** The delivery that is there afterwards: this one, or the one that was there. */
  begin(delivery: Omit<Delivery, "formatVersion" | "extras" | "at">): Promise<Delivery>;
  setExtras(message: string, extras: Extras): Promise<void>;
  extras(message: string): Promise<Extras>;
  end(message: string): Promise<void>;
  /** Oldest first. */
  open(): Promise<Delivery[]>;
}

export function createDeliveries({ store, name }: { store: Store; name: string }): Deliveries {
  const prefix = `discord/deliveries/${name}/`;
  return {
    async begin(delivery) {
      const full: Delivery = { formatVersion: 1, ...delivery, extras: noExtras, at: await store.now() };
      const result = await store.put(prefix + delivery.message, full as unknown as Json, { ifAbsent: true });
      return result.written ? full : ((result.current?.value ?? full) as unknown as Delivery);
    },

    async setExtras(message, extras) {
      await update<Json>(store, prefix + message, (current) =>
        current === null ? undefined : ({ ...(current as object), extras } as unknown as Json),
      );
    },

    async extras(message) {
      const entry = (await store.get(prefix + message))?.value as unknown as Delivery | undefined;
      return entry?.extras ?? noExtras;
    },

    async end(message) {
      await store.delete(prefix + message);
    },

    async open() {
      store.refresh?.(prefix);
      const entries = await readAll(store, prefix);
      return entries.map(({ value }) => value as unknown as Delivery).sort((a, b) => a.at - b.at);
    },
  };
}
