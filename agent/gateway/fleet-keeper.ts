/**
 * The fleet's upkeep, done by one instance at a time under a lease: commits that nobody approved become proposals, and
 * an instance whose processes died is started again as it was.
 */
import { ConfigError, describeError } from "../../tools/errors.ts";
import { readDesired } from "../../tools/fleet/desired.ts";
import type { DriftItem } from "../../tools/fleet/model.ts";
import { readNames } from "../../tools/fleet/names.ts";
import type { FleetServices } from "../../tools/fleet/services.ts";
import { digestOf, type Json } from "../../tools/json.ts";
import { parsePolicy, policyDigest } from "../../tools/policy.ts";
import { readPolicy } from "../../tools/policy-pin.ts";
import { type Store, update } from "../../tools/store.ts";
import type { Log } from "../log.ts";
import type { Approvals } from "./approvals.ts";
import type { AuditLog } from "./audit.ts";
import type { Operations } from "./operations.ts";

/** A look at the repository costs a process; people who push by hand can wait this long. */
const lookEveryMs = 2_000;
const leaseMs = 15_000;
const firstRestartMs = 1_000;
const longestRestartMs = 300_000;

export function createFleetKeeper(options: {
  store: Store;
  instance: string;
  name: string;
  fleet: FleetServices;
  approvals: Approvals;
  operations: Operations;
  audit: AuditLog;
  log: Log;
}): { look(): Promise<void> } {
  const { store, instance, fleet, approvals, operations, audit, log } = options;
  let nextLook = 0;
  let lastSeen = "";
  const restarts = new Map<string, { at: number; delayMs: number }>();

  async function holdsLease(): Promise<boolean> {
    const now = await store.now();
    const { value } = await update<Json>(store, "leases/fleet-keeper", (current) => {
      const record = current as { holder: string; until: number } | null;
      if (record && record.holder !== instance && record.until > now) return undefined;
      return { formatVersion: 1, holder: instance, until: now + leaseMs };
    });
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

  /** Starts what died; never in the middle of an operation, which may be stopping it on purpose. */
  async function restartLost(): Promise<void> {
    const busy = (await operations.list()).some((operation) => operation.endedAt === null);
    if (busy) return;
    const now = await store.now();
    for (const record of await readNames(store)) {
      if (record.holder === null || record.holder === instance) continue;
      // A mind outlives its gateway for a while; then the lease tells that nobody acts under the name.
      const isSilent = now > record.leaseUntil;
      if (!isSilent && (await fleet.provider.liveness(record.holder)) !== "stopped") {
        restarts.delete(record.holder);
        continue;
      }
      const spec = (await fleet.provider.list()).find((one) => one.instance === record.holder);
      if (!spec || spec.image === "checkout") continue;
      const planned = restarts.get(record.holder) ?? { at: 0, delayMs: firstRestartMs };
      if (performance.now() < planned.at) continue;
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
      if (performance.now() < nextLook) return;
      nextLook = performance.now() + lookEveryMs;
      if (!(await holdsLease())) return;
      await restartLost();
      await proposeUnapproved();
    },
  };
}
