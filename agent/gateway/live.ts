/** Turns changes of the store, by whichever process, into events for those who watch. */
import type { FleetStatus, PausedBy } from "../../tools/fleet/model.ts";
import type { Store } from "../../tools/store.ts";
import type { ApprovalView, AuditEntry, LiveEvent, OperationView } from "../protocol.ts";
import type { Claim } from "./inbox.ts";

/** Where the fleet's state costs requests, it is looked at this often while somebody watches. */
const costlyFleetMs = 3_000;

export interface Live {
  subscribe(listener: (event: LiveEvent) => void): () => void;
  publish(event: LiveEvent): void;
  /** Compares versions and publishes what is new. Does nothing while nobody watches. */
  scan(): Promise<void>;
}

export function createLive(options: {
  store: Store;
  approval(id: string): Promise<ApprovalView | null>;
  operation(id: string): Promise<OperationView | null>;
  fleet(): Promise<FleetStatus>;
  paused(): Promise<PausedBy | null>;
}): Live {
  const { store } = options;
  const listeners = new Set<(event: LiveEvent) => void>();
  const seen = new Map<string, string>();
  let lastFleet = "";
  let nextFleet = 0;
  let primed = false;

  const publish = (event: LiveEvent): void => {
    for (const listener of listeners) listener(event);
  };

  /** Keys below a prefix that are new or changed since the last look. */
  const changesBelow = async (prefix: string): Promise<string[]> => {
    const changed: string[] = [];
    for (const { key, version } of await store.list(prefix)) {
      if (seen.get(key) === version) continue;
      seen.set(key, version);
      changed.push(key);
    }
    return changed;
  };

  /** Null when it is as it was. Ages move by themselves; what counts is when a heartbeat was written. */
  const changedFleet = async (): Promise<FleetStatus | null> => {
    if (store.listing === "costly") nextFleet = performance.now() + costlyFleetMs;
    const fleet = await options.fleet();
    const shape = JSON.stringify(
      fleet.instances.map((instance) => ({
        ...instance,
        heartbeatAgeMs: fleet.at - (instance.heartbeatAgeMs ?? fleet.at),
      })),
    );
    if (shape === lastFleet) return null;
    lastFleet = shape;
    return fleet;
  };

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    publish,

    async scan() {
      if (listeners.size === 0) {
        primed = false;
        return;
      }
      const [approvals, operations, notices, audit, paused] = [
        await changesBelow("approvals/"),
        await changesBelow("operations/"),
        await changesBelow(noticePrefix),
        await changesBelow(recentAuditPrefix(await store.now())),
        await changesBelow("fleet/paused"),
      ];
      const fleet = performance.now() < nextFleet ? null : await changedFleet();
      if (!primed) {
        // A watcher has just read everything; only what comes after is news.
        primed = true;
        return;
      }
      for (const key of approvals) {
        const approval = await options.approval(key.slice("approvals/".length));
        if (approval) publish({ type: "approval", approval });
      }
      for (const key of operations) {
        const operation = await options.operation(key.slice("operations/".length)).catch(() => null);
        if (operation) publish({ type: "operation", operation });
      }
      for (const key of notices) {
        const claim = (await store.get(key))?.value as unknown as Claim | undefined;
        if (!claim?.answer) continue;
        const { conversation } = claim.request;
        publish({ type: "conversation", conversation, message: claim.message, event: claim.answer.done });
      }
      for (const key of audit) {
        const entry = (await store.get(key))?.value as unknown as AuditEntry | undefined;
        if (entry) publish({ type: "audit", entry });
      }
      if (paused.length > 0) {
        const pausedBy = await options.paused();
        publish({ type: "paused", paused: pausedBy !== null, pausedBy });
      }
      if (fleet) publish({ type: "fleet", fleet });
    },
  };
}

/** An operation may run on another instance than the one it was asked on; its end is then told by that one's mind. */
const noticePrefix = "inbox/notice/";

/** Audit keys begin with the time in 15 digits; eight of them span under three hours, so the list stays short. */
function recentAuditPrefix(now: number): string {
  return `audit/${String(now).padStart(15, "0").slice(0, 8)}`;
}
