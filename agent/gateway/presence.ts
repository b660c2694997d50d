/**
 * An instance's place in the fleet: candidate, holder of a name, drained. Follows the name's record in the store, keeps
 * the lease, and writes heartbeats with boot phases and checks.
 */
import { forgetCandidate, writeHeartbeat } from "../../tools/fleet/heartbeats.ts";
import type { BootPhase, Check, Heartbeat } from "../../tools/fleet/model.ts";
import { giveName, isDrainRequested, readName, releaseName, renewName } from "../../tools/fleet/names.ts";
import type { Store, StoreEntry } from "../../tools/store.ts";

export type PresenceState = Heartbeat["state"];

export interface Presence {
  /** Runs a part of the start as a phase that the fleet can see. */
  phase<T>(name: string, work: () => Promise<T>): Promise<T>;
  setCheck(check: Check): void;
  /** Takes the name when it is free or was this instance's; the epoch, or who holds it instead. */
  takeName(from: string | null): Promise<number>;
  /** Looks at the name's record and follows it. Called after every change of the store and on a timer. */
  refresh(): Promise<void>;
  /** Everything that the instance should do is up: from now on it is ready, or a candidate that can be judged. */
  settled(): Promise<void>;
  /** The epoch while this instance may act under its name, judged by its own monotonic clock; else null. */
  epoch(): number | null;
  /** The same while it drains, too: for ending what was begun under the name. */
  heldEpoch(): number | null;
  state(): PresenceState;
  heartbeat(): Heartbeat;
}

export function createPresence(options: {
  store: Store;
  instance: string;
  name: string;
  leaseMs: number;
  describe(): Pick<Heartbeat, "revision" | "image" | "dirty" | "version" | "mindPid" | "port">;
  /** The name is this instance's now: take up its port and its messages. */
  onTake(epoch: number): Promise<void>;
  /** Finish or park runs, close the port. After it the name is released. */
  onDrain(): Promise<void>;
  /** The name went elsewhere without a drain: stop acting at once. */
  onLost(): Promise<void>;
  onChange(): void;
}): Presence {
  const { store, instance, name, leaseMs } = options;
  const phases: BootPhase[] = [];
  const checks = new Map<string, Check>();
  const startedAt = Date.now();
  // Where each write is charged for, the renewals alone say that the instance lives; see docs/cost.md.
  const beatEveryMs = store.listing === "costly" ? leaseMs : leaseMs / 5;
  let state: PresenceState = "booting";
  let epoch: number | null = null;
  /** Monotonic time until which the lease is surely ours: counted from before the store was asked. */
  let leaseEnd = 0;
  /** The name as the last renewal left it: the next one needs no reading. */
  let renewed: StoreEntry | null = null;
  let isSettled = false;
  let lastBeat = 0;
  let dirty = true;

  const changed = (): void => {
    dirty = true;
    options.onChange();
  };

  const heartbeat = (): Heartbeat => ({
    formatVersion: 1,
    instance,
    name,
    epoch,
    state,
    ...options.describe(),
    pid: process.pid,
    startedAt,
    at: Date.now(),
    phases,
    checks: [...checks.values()],
  });

  const beat = async (): Promise<void> => {
    const isNews = dirty;
    dirty = false;
    lastBeat = performance.now();
    try {
      await writeHeartbeat(store, { ...heartbeat(), at: await store.now() }, isNews ? {} : { quiet: true });
    } catch (error) {
      // Nobody has heard of it yet: the next look tells it.
      dirty ||= isNews;
      throw error;
    }
  };

  const renew = async (): Promise<boolean> => {
    if (epoch === null) return false;
    const asked = performance.now();
    const { port } = options.describe();
    renewed = await renewName(store, { name, holder: instance, epoch, leaseMs, port, last: renewed });
    if (renewed === null) return false;
    // The store's clock may be behind, and the lease's end with it: another may believe it over that much earlier.
    leaseEnd = asked + leaseMs - (store.clockErrorMs?.() ?? 0);
    return true;
  };

  const activate = async (next: number): Promise<void> => {
    epoch = next;
    const ours = await renew();
    if (!ours) {
      epoch = null;
      return;
    }
    try {
      await presence.phase("name", () => options.onTake(next));
    } catch (error) {
      // Not taken up after all: the next look at the record tries again.
      epoch = null;
      leaseEnd = 0;
      throw error;
    }
    // The port follows the name, so it is on record before the name can move again.
    await renew();
    state = isSettled ? "ready" : "booting";
    changed();
    await beat();
    // What it said of itself without the name would make it look like a candidate as well.
    await forgetCandidate(store, instance);
  };

  const lose = async (): Promise<void> => {
    epoch = null;
    leaseEnd = 0;
    state = "drained";
    await options.onLost();
    changed();
  };

  const drain = async (): Promise<void> => {
    state = "draining";
    changed();
    await beat();
    // Runs may take longer to end than the lease lasts, and until then the name is still this instance's.
    const renewal = setInterval(() => void renew().catch(() => {}), leaseMs / 3);
    await options.onDrain().finally(() => clearInterval(renewal));
    const released = epoch;
    state = "drained";
    await beat();
    epoch = null;
    leaseEnd = 0;
    if (released !== null) await releaseName(store, { name, holder: instance });
    changed();
    await beat();
  };

  const presence: Presence = {
    async phase(phaseName, work) {
      const phase: BootPhase = { name: phaseName, state: "running", startedAt: Date.now(), endedAt: null };
      const index = phases.findIndex((one) => one.name === phaseName);
      if (index >= 0) phases[index] = phase;
      else phases.push(phase);
      changed();
      try {
        const result = await work();
        phase.state = "done";
        return result;
      } catch (error) {
        phase.state = "failed";
        throw error;
      } finally {
        phase.endedAt = Date.now();
        changed();
      }
    },

    setCheck(check) {
      const before = checks.get(check.name);
      if (before && before.ok === check.ok && before.detail === check.detail) return;
      checks.set(check.name, check);
      changed();
    },

    async takeName(from) {
      const given = await giveName(store, { name, to: instance, from, leaseMs });
      await activate(given.epoch);
      return given.epoch;
    },

    async refresh() {
      if (state === "draining") return;
      const record = await readName(store, name);
      if (record?.holder === instance) {
        if (epoch === null) await activate(record.epoch);
        else if (epoch !== record.epoch) await lose();
        else if (await isDrainRequested(store, { name, epoch })) {
          await drain();
          return;
        } else if (leaseEnd - performance.now() < (leaseMs * 2) / 3 && !(await renew())) await lose();
      } else if (epoch !== null) {
        await lose();
      }
      if (dirty || performance.now() - lastBeat > beatEveryMs) await beat();
    },

    async settled() {
      isSettled = true;
      if (state === "booting") state = epoch === null ? "candidate" : "ready";
      changed();
      await beat();
    },

    epoch: () => (epoch !== null && state !== "draining" && performance.now() < leaseEnd ? epoch : null),
    heldEpoch: () => (epoch !== null && performance.now() < leaseEnd ? epoch : null),
    state: () => state,
    heartbeat,
  };
  return presence;
}
