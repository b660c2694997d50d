/** Values of the shapes that the gateway sends, for the console's tests. */
import type { ApprovalView, AuditEntry, OperationView, RunEvent } from "../../agent/protocol.ts";
import type { FleetDrift, FleetStatus, InstanceStatus } from "../../tools/fleet/model.ts";
import { digestOf, type Json } from "../../tools/json.ts";
import type { Plan } from "../../tools/tool.ts";

export const sampleRevision = "4f1c9a7e20b35d886ac1e07f9b2d4c6658ad013e";
const imageId = "img-7d20c4e9ab51f386";
const policyCommit = "b81e6602cfd94f03d5a7c1e2908b76543fedcba9";
const hourMs = 3_600_000;

export function sampleApproval(options: Partial<ApprovalView> & { id: string; plan?: Plan }): ApprovalView {
  const plan = options.plan ?? samplePlan();
  return {
    operation: plan.operation,
    digest: digestOf(plan as unknown as Json),
    state: "pending",
    summary: plan.summary,
    createdAt: plan.createdAt,
    expiresAt: plan.expiresAt,
    quorum: plan.policy.rule.quorum,
    votes: [],
    reason: null,
    supersededBy: null,
    operationId: null,
    ...options,
    plan,
  };
}

export function samplePlan(changed: Partial<Plan> = {}): Plan {
  const createdAt = Date.now() - 42_000;
  return {
    formatVersion: 1,
    operation: "instance_launch",
    input: { name: null },
    summary: "Launch CLAWDINATOR-2 from revision 4f1c9a7e20, building its image first",
    facts: { revision: sampleRevision, image: { id: imageId, exists: false }, policyRevision: policyCommit },
    changes: [
      {
        what: "nix/instances.json › CLAWDINATOR-2",
        before: null,
        after: { host: "local", type: "process", revision: sampleRevision, tokenSecret: null },
      },
      { what: "name CLAWDINATOR-2", before: "free", after: "held, epoch 1" },
    ],
    targets: [{ name: "CLAWDINATOR-2", instance: null, epoch: null }],
    cost: { onceUsd: 0, monthlyUsd: 0, note: "local processes; about 160 MB of memory" },
    warnings: ["The checkout has uncommitted changes. They are left out: the sibling runs the commit."],
    proposer: {
      kind: "maintainer",
      id: "m-ada",
      name: "Ada",
      message: "m-1",
      conversation: "console-1",
      influencedByPublicText: false,
    },
    policy: { commit: policyCommit, digest: "0".repeat(64), rule: { mode: "approve", quorum: 1, expiresHours: 24 } },
    createdAt,
    expiresAt: createdAt + 24 * hourMs,
    nonce: "n-1",
    ...changed,
  };
}

export function sampleOperation(options: Partial<OperationView> & { id: string }): OperationView {
  const names = [
    "build_image",
    "reserve_name",
    "start_candidate",
    "prove_candidate",
    "record_desired_state",
    "take_name",
  ];
  return {
    operation: "instance_launch",
    state: "running",
    summary: "Launch CLAWDINATOR-2 from revision 4f1c9a7e20, building its image first",
    approval: "apr-1",
    digest: "c".repeat(64),
    compensating: false,
    owner: "i-01hzy3",
    startedAt: Date.now(),
    endedAt: null,
    steps: names.map((name) => ({ name, state: "pending", startedAt: null, endedAt: null, attempts: 0, error: null })),
    progress: null,
    error: null,
    proposedBy: "Ada",
    approvedBy: ["Ada"],
    conversation: null,
    ...options,
  };
}

export function sampleFleet(): FleetStatus {
  const at = Date.now();
  return { at, instances: [readyInstance(at)], self: { name: "CLAWDINATOR-1", instance: "i-01hzy3k8" } };
}

function readyInstance(at: number): InstanceStatus {
  const startedAt = at - 2 * hourMs - 11 * 60_000;
  return {
    name: "CLAWDINATOR-1",
    state: "ready",
    instance: "i-01hzy3k8",
    machine: null,
    revision: sampleRevision,
    image: "checkout",
    dirty: true,
    epoch: 3,
    port: 18_789,
    url: "http://127.0.0.1:18789/",
    heartbeatAgeMs: 900,
    startedAt,
    phases: [
      { name: "config", state: "done", startedAt, endedAt: startedAt + 12 },
      { name: "store", state: "done", startedAt: startedAt + 12, endedAt: startedAt + 31 },
      { name: "mind", state: "done", startedAt: startedAt + 31, endedAt: startedAt + 290 },
      { name: "name", state: "done", startedAt: startedAt + 290, endedAt: startedAt + 322 },
      { name: "channels", state: "done", startedAt: startedAt + 322, endedAt: startedAt + 341 },
    ],
    checks: [
      { name: "model", ok: true, detail: "interpreter answered in 3 ms" },
      { name: "memory", ok: true, detail: "written here, read by another process" },
      { name: "store", ok: true, detail: "SQLite, 214 keys" },
    ],
  };
}

/** A sibling in the middle of its boot. */
export function bootingInstance(): InstanceStatus {
  const at = Date.now();
  return {
    ...readyInstance(at),
    name: "CLAWDINATOR-2",
    state: "booting",
    instance: "i-01hzy9q2",
    machine: null,
    image: imageId,
    dirty: false,
    epoch: null,
    port: 18_790,
    url: null,
    heartbeatAgeMs: 400,
    startedAt: at - 4600,
    phases: [
      { name: "config", state: "done", startedAt: at - 4600, endedAt: at - 4580 },
      { name: "store", state: "done", startedAt: at - 4580, endedAt: at - 4540 },
      { name: "mind", state: "running", startedAt: at - 4540, endedAt: null },
    ],
    checks: [{ name: "mind", ok: false, detail: "has not said hello yet" }],
  };
}

export function sampleDrift(): FleetDrift {
  return { at: Date.now(), items: [] };
}

export function sampleAudit(): AuditEntry[] {
  const at = Date.now();
  const rows: [string, string, string, string, string][] = [
    ["name.taken", "CLAWDINATOR-1", "gateway", "CLAWDINATOR-1", "epoch 3, instance i-01hzy3k8"],
    ["maintainer.logged_in", "Ada", "console", "m-ada", "from 127.0.0.1"],
    ["approval.proposed", "Ada", "console", "apr-old", "Replace CLAWDINATOR-1 with revision 4f1c9a7e20"],
    ["approval.voted", "Ada", "cli", "apr-old", "rejected: not before the weekend"],
  ];
  return rows.map(([action, actor, surface, subject, detail], index) => ({
    id: `audit-${index}`,
    at: at - (rows.length - index) * 61_000,
    action,
    actor,
    surface,
    subject,
    detail,
  }));
}

const usage = { turns: 1, inputTokens: 120, outputTokens: 80, usd: 0 };

export function doneEvent(text: string): RunEvent {
  return { type: "done", reason: "answered", text, usage };
}

export const statusAnswer = `The fleet has **1 instance**, and it is ready.

- \`CLAWDINATOR-1\` runs the checkout of \`4f1c9a7e20\`, epoch 3, on port 18789
- its mind answers, its memory writes

\`\`\`
NAME           STATE  REVISION    IMAGE     EPOCH  UP
CLAWDINATOR-1  ready  4f1c9a7e20  checkout      3  2 h 11 min
\`\`\`

What the words mean is written in [the guide](https://example.org/guide).`;
