/** A gateway's approvals and operations over a real store, with one small operation that paints a wall. */
import { z } from "zod";
import { type Approvals, createApprovals } from "../../agent/gateway/approvals.ts";
import { type AuditLog, createAuditLog } from "../../agent/gateway/audit.ts";
import type { Actor } from "../../agent/gateway/maintainers.ts";
import { createOperations, type Operations } from "../../agent/gateway/operations.ts";
import { openSqliteStore } from "../../agent/gateway/store/sqlite.ts";
import type { ApprovalView } from "../../agent/protocol.ts";
import { ToolError } from "../../tools/errors.ts";
import type { FleetServices } from "../../tools/fleet/services.ts";
import { formatPolicy, type Policy } from "../../tools/policy.ts";
import { movePolicyPin, pinFirstPolicy, readPolicy } from "../../tools/policy-pin.ts";
import { readAll, type Store } from "../../tools/store.ts";
import { defineOperation, type Proposer } from "../../tools/tool.ts";

/** Paints whatever `wall` in the store says; each stroke is a record of its own, so that none can be missed. */
const paint = defineOperation({
  name: "paint",
  description: "Paints the wall.",
  input: z.strictObject({}),
  async plan({ fleet }) {
    const wall = (await fleet.store.get("wall"))?.value ?? null;
    if (wall === "gone") throw new ToolError("there is no wall", { code: "no_wall", hint: "build one" });
    if (wall === "high") throw new ToolError("no ladder here", { code: "build_impossible_here", hint: "bring one" });
    if (wall === "hidden") throw new Error("it is too dark to see");
    return {
      summary: `paint the ${wall} wall`,
      facts: { wall },
      changes: [{ what: "wall", before: wall, after: "painted" }],
      targets: [],
      cost: { onceUsd: 0, monthlyUsd: 0, note: "none" },
      warnings: [],
    };
  },
  steps: () => [
    {
      name: "stroke",
      async run({ fleet }) {
        await fleet.store.put(`strokes/${crypto.randomUUID()}`, true);
        await fleet.store.put("wall", "painted");
        return { result: null };
      },
    },
  ],
});

export interface Painters {
  /** Of the store's file. */
  path: string;
  store: Store;
  approvals: Approvals;
  operations: Operations;
  audit: AuditLog;
  /** Moves the store's clock. */
  advance(ms: number): void;
  /** Proposes in the name of a maintainer, 1 if none is given. */
  propose(options?: Partial<Proposer> & { key?: string }): Promise<ApprovalView>;
  /** Executes through the real journal. */
  execute(id: string): Promise<boolean>;
  setPolicy(policy: Partial<Policy> & { quorum?: number }): Promise<void>;
  strokes(): Promise<number>;
  close(): Promise<void>;
}

export async function openPainters(options: {
  path: string;
  instance?: string;
  approvers?: string[];
  quorum?: number;
}): Promise<Painters> {
  const { instance = "i-000000000001", approvers = ["1", "2", "3"], quorum = 1 } = options;
  const real = await openSqliteStore({ path: options.path });
  let offsetMs = 0;
  const store: Store = { ...real, now: async () => (await real.now()) + offsetMs };
  const text = formatPolicy(policyWith({ approvers, quorum }));
  await pinFirstPolicy(store, { commit: "0".repeat(40), text });
  await store.put("wall", "white", { ifAbsent: true });
  const audit = createAuditLog(store);
  const fleet = { store, self: { instance } } as unknown as FleetServices;
  const approvals = createApprovals({
    store,
    audit,
    instance,
    policy: () => readPolicy(store),
    plan: async ({ operation, input, proposer }) => {
      if (operation !== "paint")
        throw new ToolError(`there is no operation ${operation}`, { code: "unknown_operation", hint: "paint" });
      return {
        tool: paint,
        input,
        draft: await paint.plan({ fleet, proposer, signal: AbortSignal.timeout(10_000) }, input),
      };
    },
  });
  const operations = createOperations({
    store,
    audit,
    fleet,
    operationByName: () => paint,
    isPaused: async () => false,
    approvalState: async (id) => (await approvals.get(id))?.state ?? null,
    log: () => {},
  });
  return {
    path: options.path,
    store,
    approvals,
    operations,
    audit,
    advance(ms) {
      offsetMs += ms;
    },
    propose: ({ key = crypto.randomUUID(), ...proposer } = {}) =>
      approvals.propose({
        operation: "paint",
        input: {},
        key,
        proposer: {
          kind: "maintainer",
          id: "1",
          name: "Person 1",
          message: null,
          conversation: null,
          influencedByPublicText: false,
          ...proposer,
        },
      }),
    execute: (id) => approvals.execute(id, (record) => operations.start(record)),
    async setPolicy({ quorum: nextQuorum, ...policy }) {
      const current = await readPolicy(store);
      const next = { ...policyWith({ approvers: current.policy.approvers, quorum: nextQuorum ?? quorum }), ...policy };
      await movePolicyPin(store, { from: current.digest, commit: "1".repeat(40), text: formatPolicy(next) });
    },
    strokes: async () => (await readAll(store, "strokes/")).length,
    async close() {
      await operations.stop();
      await real.close();
    },
  };
}

function policyWith({ approvers, quorum }: { approvers: string[]; quorum: number }): Policy {
  return {
    formatVersion: 1,
    approvers,
    operations: { paint: { mode: "approve", quorum, expiresHours: 24 } },
    budgets: { usdPerDay: 1, usdPerRun: 1 },
  };
}

/** Maintainer `id`, by their own token or, with `by`, in the words of another one's `--as`. */
export function actor(id: string, options: { surface?: Actor["surface"]; by?: string } = {}): Actor {
  const person = (number: string): Actor["maintainer"] => ({
    id: number,
    name: `Person ${number}`,
    createdAt: 0,
    removedAt: null,
  });
  const { surface = "console", by } = options;
  return { maintainer: person(id), surface, asLocal: by !== undefined, by: person(by ?? id) };
}

/** What the audit log says of an approval, oldest first. */
export async function story(painters: Painters, subject: string): Promise<string[]> {
  const entries = await painters.audit.list({ limit: 1000, subject });
  return entries.reverse().map(({ action, actor: who }) => `${action} ${who}`);
}
