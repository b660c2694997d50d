/**
 * The fleet's upkeep, done by one instance at a time under a lease: commits that nobody approved become proposals, and
 * an instance whose processes died is started again as it was.
 */
import { ConfigError, describeError } from "../../tools/errors.ts";
import { readDesired } from "../../tools/fleet/desired.ts";
import type { DriftItem } from "../../tools/fleet/model.ts";
import { readName, readNames } from "../../tools/fleet/names.ts";
import type { FleetServices, NameRecord, ProvidedInstance } from "../../tools/fleet/services.ts";
import { createSummaryWriter } from "../../tools/fleet/summary.ts";
import { digestOf, type Json } from "../../tools/json.ts";
import { parsePolicy, policyDigest } from "../../tools/policy.ts";
import { readPolicy } from "../../tools/policy-pin.ts";
import { type Store, update } from "../../tools/store.ts";
import type { Log } from "../log.ts";
import type { Approvals } from "./approvals.ts";
import type { AuditLog } from "./audit.ts";
import type { Operations } from "./operations.ts";

/** How often the keeper looks, and for how long it is the keeper without saying so again. */
const paces = {
  /** A look at the repository costs a process; people who push by hand can wait this long. */
  cheap: { lookEveryMs: 2_000, leaseMs: 15_000 },
  /** Renewing the lease costs money, and a look is a request to the provider and to the repository's host. */
  costly: { lookEveryMs: 30_000, leaseMs: 600_000 },
};
const firstRestartMs = 1_000;
const longestRestartMs = 300_000;

export interface FleetKeeper {
  /** Does what is due, where this instance is the keeper or can become it. Called often. */
  look(): Promise<void>;
  stop(): void;
}

export function createFleetKeeper(options: {
  store: Store;
  instance: string;
  name: string;
  fleet: FleetServices;
  approvals: Approvals;
  operations: Operations;
  audit: AuditLog;
  log: Log;
  /** Further upkeep that one instance at a time looks after; returns at once. */
  onUpkeep?: (() => void) | undefined;
}): FleetKeeper {
  const { store, instance, fleet, approvals, operations, audit, log } = options;
  const { lookEveryMs, leaseMs } = paces[store.listing ?? "cheap"];
  const summary = store.listing === "costly" ? createSummaryWriter({ store, leaseMs: fleet.settings.leaseMs }) : null;
  let nextLook = 0;
  let isKeeper = false;
  let lastSeen = "";
  const restarts = new Map<string, { at: number; delayMs: number }>();

  async function holdsLease(): Promise<boolean> {
    const now = await store.now();
    // A clock that is behind would have this one go on while another begins.
    const late = now + (store.clockErrorMs?.() ?? 0);
    const { value } = await update<Json>(
      store,
      "leases/fleet-keeper",
      (current) => {
        const record = current as { holder: string; until: number } | null;
        const lasts = record !== null && record.until > (record.holder === instance ? late + (leaseMs * 2) / 3 : now);
        return lasts ? undefined : { formatVersion: 1, holder: instance, until: now + leaseMs };
      },
      { quiet: true },
    );
    return (value as { holder: string } | null)?.holder === instance;
  }

  async function proposeUnapproved(): Promise<void> {
    const [tip, desired] = [await fleet.repository.tip(), await readDesired(store)];
    const seen = `${tip}/${desired.commit}`;
    if (seen === lastSeen) return;
    const { items } = await fleet.drift();
    for (const item of items) {
      if (item.kind === "unapproved_commit") await proposeOne(item, tip);
    }
    lastSeen = seen;
  }

  async function proposeOne(item: Extract<DriftItem, { kind: "unapproved_commit" }>, tip: string): Promise<void> {
    const request = await requestOf(item.name, tip).catch((error: unknown) => {
      log("warn", "a commit nobody approved cannot be proposed", { commit: tip, error: describeError(error).message });
      if (!(error instanceof ConfigError)) throw error;
      return null;
    });
    if (!request) {
      await audit.write({
        action: "repository.unapproved",
        actor: "repository",
        surface: instance,
        subject: `commit/${tip}`,
        detail: item.detail,
      });
      return;
    }
    const digest = digestOf(request as unknown as Json);
    const open = await approvals.list();
    const isAsked = open.some(
      (approval) =>
        approval.plan.proposer.kind === "repository" &&
        approval.plan.proposer.id === digest &&
        approval.state !== "executed",
    );
    if (isAsked) return;
    const desired = await readDesired(store);
    await approvals
      .propose({
        ...request,
        key: `repository/${desired.commit}/${digest}`,
        proposer: {
          kind: "repository",
          id: digest,
          name: `commit ${tip.slice(0, 12)}`,
          message: null,
          conversation: null,
          influencedByPublicText: true,
        },
      })
      .catch(async (error: unknown) => {
        const detail = `${item.detail}; it cannot become a proposal: ${describeError(error).message}`;
        await audit.write({
          action: "repository.unapproved",
          actor: "repository",
          surface: instance,
          subject: `commit/${tip}`,
          detail,
        });
      });
  }

  /** What an approved operation would have to do for the repository to be right. */
  async function requestOf(name: string | null, tip: string): Promise<{ operation: string; input: Json } | null> {
    if (name === null) {
      // Either the policy differs, or a file cannot be read: only the first can be asked for.
      const text = await fleet.repository.policyTextAt(tip);
      const policy = parsePolicy(text, `policy.json at ${tip.slice(0, 12)}`);
      if (policyDigest(policy) === (await readPolicy(store)).digest) return null;
      return { operation: "policy_change", input: { policy: policy as unknown as Json } };
    }
    const [before, after] = [
      (await fleet.desired()).instances[name],
      (await fleet.repository.desiredAt(tip)).instances[name],
    ];
    if (!after) return before ? { operation: "instance_retire", input: { name } } : null;
    const revision = after.revision === "checkout" ? undefined : after.revision;
    return {
      operation: before ? "instance_replace" : "instance_launch",
      input: { name, ...(revision ? { revision } : {}) },
    };
  }

  async function isBusy(): Promise<boolean> {
    return (await operations.list()).some((operation) => operation.endedAt === null);
  }

  /** A mind outlives its gateway for a while; then the lease tells that nobody acts under the name. */
  async function isLost(record: NameRecord, spec: ProvidedInstance | undefined): Promise<boolean> {
    return spec?.liveness === "stopped" || (await store.now()) > record.leaseUntil;
  }

  /** Asked again just before acting, of the store itself: what was remembered may be behind. */
  async function isStillLost(record: NameRecord, spec: ProvidedInstance): Promise<boolean> {
    store.refresh?.();
    const latest = await readName(store, record.name);
    return latest?.holder === record.holder && (await isLost(latest, spec)) && !(await isBusy());
  }

  /** Starts what died; never in the middle of an operation, which may be stopping it on purpose. */
  async function restartLost(): Promise<void> {
    if (await isBusy()) return;
    const [names, provided] = [await readNames(store), await fleet.provider.list()];
    for (const record of names) {
      if (record.holder === null || record.holder === instance) continue;
      const spec = provided.find((one) => one.instance === record.holder);
      if (!(await isLost(record, spec))) {
        restarts.delete(record.holder);
        continue;
      }
      if (!spec || spec.image === "checkout") continue;
      const planned = restarts.get(record.holder) ?? { at: 0, delayMs: firstRestartMs };
      if (performance.now() < planned.at) continue;
      if (!(await isStillLost(record, spec))) return;
      restarts.set(record.holder, {
        at: performance.now() + planned.delayMs,
        delayMs: Math.min(planned.delayMs * 2, longestRestartMs),
      });
      const { started } = await fleet.provider.launch({
        instance: record.holder,
        name: record.name,
        image: spec.image,
        revision: spec.revision,
        port: record.port,
        placement: null,
      });
      if (!started) continue;
      await audit.write({
        action: "instance.restarted",
        actor: `instance:${instance}`,
        surface: instance,
        subject: record.name,
        detail: `${record.holder} had died`,
      });
    }
  }

  return {
    async look() {
      const isDue = performance.now() >= nextLook;
      if (!isDue && !(summary && isKeeper)) return;
      if (isDue) nextLook = performance.now() + lookEveryMs;
      isKeeper = await holdsLease();
      if (!isKeeper) return;
      await summary?.look();
      if (!isDue) return;
      await restartLost();
      await proposeUnapproved();
      options.onUpkeep?.();
    },

    stop: () => summary?.stop(),
  };
}
