/** Watches a name all the time: who holds it by the store, who says so of itself, and what the heartbeats say. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import type { Heartbeat } from "../../tools/fleet/model.ts";
import type { NameRecord } from "../../tools/fleet/services.ts";
import type { Store } from "../../tools/store.ts";
import { instancesBelow, readVersion } from "./fleet-socket.ts";

/** While an instance surely acted under the name: from its first answer to the asking of its last one. */
interface Tenure {
  instance: string;
  epoch: number;
  from: number;
  until: number;
}

export interface HolderWatch {
  /** Ends it and fails when two ever held the name at once; returns the epochs that the name's record went through. */
  stop(): Promise<{ epochs: number[]; answers: number }>;
}

const pauseMs = 5;

export function watchHolders(options: { home: string; store: Store; name: string }): HolderWatch {
  const { home, store, name } = options;
  const tenures = new Map<string, Tenure>();
  const holders = new Map<number, Set<string>>();
  const epochs: number[] = [];
  const twoReady: string[] = [];
  let answers = 0;
  let stopped = false;

  async function askOne(instance: string): Promise<void> {
    const asked = performance.now();
    const answer = await readVersion(home, instance);
    if (answer?.name !== name) return;
    answers++;
    if (!answer.holdsName || answer.epoch === null) return;
    const key = `${instance}/${answer.epoch}`;
    const tenure = tenures.get(key) ?? { instance, epoch: answer.epoch, from: performance.now(), until: asked };
    tenures.set(key, { ...tenure, until: Math.max(tenure.until, asked) });
  }

  async function readRecords(): Promise<void> {
    const record = (await store.get(`names/${name}`))?.value as unknown as NameRecord | undefined;
    if (!record) return;
    if (epochs.at(-1) !== record.epoch) epochs.push(record.epoch);
    if (record.holder !== null) holders.set(record.epoch, (holders.get(record.epoch) ?? new Set()).add(record.holder));
    // The newer one first: when the older one still is ready after that, both were at that moment.
    const [newer, older] = [await readyAt(record.epoch), await readyAt(record.epoch - 1)];
    if (newer && older) twoReady.push(`${older} (epoch ${record.epoch - 1}) and ${newer} (epoch ${record.epoch})`);
  }

  async function readyAt(epoch: number): Promise<string | null> {
    const heartbeat = (await store.get(`names/${name}/${epoch}/heartbeat`))?.value as unknown as Heartbeat | undefined;
    return heartbeat?.state === "ready" ? heartbeat.instance : null;
  }

  const watching = (async () => {
    while (!stopped) {
      await Promise.all([readRecords(), ...instancesBelow(home).map(askOne)]);
      await delay(pauseMs);
    }
  })();

  return {
    async stop() {
      stopped = true;
      await watching;
      const all = [...tenures.values()];
      const overlaps = all.flatMap((one) =>
        all.filter((other) => other.epoch > one.epoch && other.from < one.until).map((other) => ({ one, other })),
      );
      expect(overlaps).toEqual([]);
      expect(twoReady).toEqual([]);
      for (const [epoch, who] of holders) expect([epoch, who.size]).toEqual([epoch, 1]);
      return { epochs, answers };
    },
  };
}
