/** Records of each kind as the program writes them, of any age, and what of them is live. */
import { decisionKeptMs } from "../../../../agent/gateway/approval-record.ts";
import { approvalId } from "../../../../agent/gateway/approvals.ts";
import { onceKeptMs } from "../../../../agent/gateway/audit.ts";
import { cardKeptMs } from "../../../../agent/gateway/channels/discord/cards/card-records.ts";
import { cursorKeptMs } from "../../../../agent/gateway/channels/discord/listen/cursor.ts";
import { takenKeptMs } from "../../../../agent/gateway/channels/discord/listen/unaddressed.ts";
import { postKeptMs } from "../../../../agent/gateway/channels/discord/speak/post-record.ts";
import { claimKeptMs } from "../../../../agent/gateway/inbox.ts";
import { sessionKeptMs } from "../../../../agent/gateway/maintainers.ts";
import { type DayRecord, emptyDay } from "../../../../agent/gateway/spend/day-record.ts";
import { heartbeatKeptMs } from "../../../../tools/fleet/heartbeats.ts";
import type { Json } from "../../../../tools/json.ts";

export const dayMs = 86_400_000;
/** Everything of the world happened now. */
export const worldAt = Date.parse("2026-01-15T12:00:00.000Z");

export type Records = Record<string, Json>;

export function snowflake(at: number): string {
  return String((BigInt(at) - 1_420_070_400_000n) << 22n);
}

const approval = (n: number): string => `ap-${String(n).padStart(12, "0")}`;
const operation = (n: number): string => `op-${String(n).padStart(12, "0")}`;

function approvalRecord(id: string, more: Record<string, Json> = {}): Json {
  const plan = { proposer: { kind: "maintainer", id: "1", name: "Ada" }, summary: "" };
  const ends = { operationId: null, supersededBy: null, votes: [], createdAt: worldAt - dayMs, expiresAt: worldAt };
  return { formatVersion: 1, id, state: "executed", plan, ...ends, ...more };
}

function operationRecord(id: string, more: Record<string, Json> = {}): Json {
  const states = { state: "succeeded", endedAt: worldAt, startedAt: worldAt, steps: [] };
  return { formatVersion: 1, id, approval: approval(0), plan: {}, ...states, ...more };
}

const claim = (message: string, more: Record<string, Json> = {}): Json => ({
  formatVersion: 1,
  message,
  state: "answered",
  instance: "i-1",
  epoch: 1,
  request: { to: "CLAWDINATOR-1", conversation: "c", text: "?" },
  answer: null,
  ...more,
});

const heartbeat = (at: number, epoch: number | null, name = "CLAWDINATOR-1"): Json => ({
  ...{ formatVersion: 1, instance: "i-1", name, epoch, state: "ready", revision: "r", image: "i", dirty: false },
  ...{ version: "1", pid: 1, mindPid: 1, port: 1, startedAt: at, at, phases: [], checks: [] },
});

const nameRecord = (name: string, epoch: number, holder: string | null): Json => {
  return { formatVersion: 1, name, epoch, holder, leaseUntil: 0, port: null };
};

const cardRecord = (id: string, closedAt: number | null): Json => ({
  ...{ formatVersion: 1, approval: id, digest: "d", name: "CLAWDINATOR-1", channel: "1", edition: 0, message: "2" },
  ...{ hash: "h", buttons: { approve: `a-${id}`, reject: `r-${id}`, details: `d-${id}` }, closedAt },
});

const button = (id: string): Json => ({ formatVersion: 1, approval: id, digest: "d", action: "approve" });

export function dayRecord(day: string, instance: string, usd: number): DayRecord {
  const person = { kind: "maintainer" as const, id: "1", name: "Ada" };
  const entry = { provider: "p", model: "m", purpose: "coding" as const, person, conversation: "chat" as const };
  const counts = { requests: 1, estimatedRequests: 0, inputTokens: 2, cacheReadTokens: 0, cacheWriteTokens: 0 };
  const run = { message: "m", conversationId: null, person, startedAt: worldAt, lastAt: worldAt, requests: 1, usd };
  return {
    ...emptyDay(day, { instance, name: "CLAWDINATOR-1" }),
    lines: [{ ...entry, price: "list", ...counts, outputTokens: 3, usd }],
    runs: [{ ...run, idleUsd: 0, outcome: null }],
    open: [
      { ...entry, price: "list", request: "r", message: null, pid: 1, at: worldAt, estimate: usageOf(7), usd: usd / 2 },
    ],
  };
}

function usageOf(inputTokens: number) {
  return { inputTokens, outputTokens: 0, cacheReadTokens: 0, cacheWriteTokens: 0 };
}

/** What goes, by kind: its records and how long after `worldAt` they stay. */
export const perishable: Record<string, { keptMs: number; records: Records; others?: Records }> = {
  "an answer in Discord": {
    keptMs: claimKeptMs,
    records: { [`inbox/discord/${snowflake(worldAt)}`]: claim(snowflake(worldAt), { answeredAt: worldAt }) },
  },
  "an answer of an earlier version, by its id": {
    keptMs: claimKeptMs,
    records: { [`inbox/discord/${snowflake(worldAt)}`]: claim(snowflake(worldAt)) },
  },
  "an answer in the console": {
    keptMs: claimKeptMs,
    records: { "inbox/chat/x1": claim("x1", { answeredAt: worldAt }) },
  },
  "a job's answer": {
    keptMs: claimKeptMs,
    records: { "inbox/schedule/cron-daily-20260115T120000Z": claim("cron-daily-20260115T120000Z") },
  },
  "a post": {
    keptMs: postKeptMs,
    records: { [`discord/posts/CLAWDINATOR-1/${snowflake(worldAt)}.0`]: { formatVersion: 1, at: worldAt } },
  },
  "who took a request to nobody": {
    keptMs: takenKeptMs,
    records: {
      [`discord/unaddressed/${snowflake(worldAt)}`]: { formatVersion: 1, name: "CLAWDINATOR-1", at: worldAt },
    },
  },
  "how far a retired name has heard": {
    keptMs: cursorKeptMs,
    records: { "discord/cursors/CLAWDINATOR-9/1": { formatVersion: 1, channel: "1", message: "2", parent: null } },
    others: {
      "names/CLAWDINATOR-9": nameRecord("CLAWDINATOR-9", 1, null),
      "names/CLAWDINATOR-9/1/heartbeat": heartbeat(worldAt, 1, "CLAWDINATOR-9"),
    },
  },
  "a former holder's heartbeat": {
    keptMs: heartbeatKeptMs,
    records: {
      "names/CLAWDINATOR-8/1/heartbeat": heartbeat(worldAt, 1, "CLAWDINATOR-8"),
      "names/CLAWDINATOR-8/1/drain": { formatVersion: 1, operation: operation(9), requestedAt: worldAt },
    },
    others: { "names/CLAWDINATOR-8": nameRecord("CLAWDINATOR-8", 2, "i-2") },
  },
  "a candidate": { keptMs: heartbeatKeptMs, records: { "candidates/i-9": heartbeat(worldAt, null) } },
  "a session": {
    keptMs: sessionKeptMs,
    records: { "sessions/s": { formatVersion: 1, maintainer: "1", expiresAt: worldAt } },
  },
  "what was told once": {
    keptMs: onceKeptMs,
    records: { [`audit-once/${approval(1)}/proposed`]: { id: "e", at: worldAt } },
  },
  "a closed card": {
    keptMs: cardKeptMs,
    records: {
      [`discord/cards/${approval(2)}`]: cardRecord(approval(2), worldAt),
      [`discord/buttons/a-${approval(2)}`]: button(approval(2)),
      [`discord/buttons/r-${approval(2)}`]: button(approval(2)),
    },
    others: { [`approvals/${approval(2)}`]: approvalRecord(approval(2), { expiresAt: worldAt + 1e12 }) },
  },
  "an operation with its approval, post and what was told of them": {
    keptMs: decisionKeptMs,
    records: {
      [`operations/${operation(3)}`]: operationRecord(operation(3), { approval: approval(3) }),
      [`approvals/${approval(3)}`]: approvalRecord(approval(3), { operationId: operation(3) }),
      [`discord/posts/CLAWDINATOR-1/say-operation-${operation(3)}`]: { formatVersion: 1, at: worldAt },
      [`audit-once/${operation(3)}/build/succeeded`]: { id: "e", at: worldAt },
      [`discord/buttons/x-${approval(3)}`]: button(approval(3)),
    },
  },
};

/** What stays however old it is. */
export function livingRecords(): Records {
  const current = { id: "cron-job-20260115T120000Z" };
  const asked = approvalId(current.id);
  return {
    "messages/CLAWDINATOR-1/m1": { formatVersion: 1, id: "m1", createdAt: worldAt },
    "inbox/chat/m1": claim("m1", { state: "claimed" }),
    [`inbox/discord/${snowflake(worldAt - 5)}`]: claim(snowflake(worldAt - 5), { state: "claimed" }),
    [`inbox/schedule/${current.id}`]: claim(current.id, { answeredAt: worldAt }),
    "inbox/newer/x": { ...(claim("x", { answeredAt: worldAt }) as object), formatVersion: 2 } as Json,
    "schedule/job": { formatVersion: 1, handled: worldAt, paused: null, current, outcomes: [] },
    [`approvals/${asked}`]: approvalRecord(asked),
    [`approvals/${approval(20)}`]: approvalRecord(approval(20), { state: "pending" }),
    [`approvals/${approval(21)}`]: approvalRecord(approval(21), { state: "approved" }),
    [`approvals/${approval(22)}`]: approvalRecord(approval(22), { operationId: operation(22) }),
    [`operations/${operation(22)}`]: operationRecord(operation(22), {
      ...{ state: "running", endedAt: worldAt, approval: approval(22) },
    }),
    // Known by its operation alone.
    [`approvals/${approval(23)}`]: approvalRecord(approval(23)),
    [`operations/${operation(23)}`]: operationRecord(operation(23), {
      ...{ state: "failed", approval: approval(23), steps: [{ name: "build", state: "compensating" }] },
    }),
    [`approvals/${approval(24)}`]: approvalRecord(approval(24), {
      ...{ state: "rejected", plan: { proposer: { kind: "repository", id: "c" } } },
    }),
    // A superseded one that stays keeps its successor.
    [`approvals/${approval(25)}`]: approvalRecord(approval(25), {
      ...{ state: "superseded", supersededBy: approval(26), expiresAt: worldAt + 1e13 },
    }),
    [`approvals/${approval(26)}`]: approvalRecord(approval(26), { state: "rejected" }),
    // A card that could not show the end yet.
    [`approvals/${approval(27)}`]: approvalRecord(approval(27), { state: "expired" }),
    [`discord/cards/${approval(27)}`]: cardRecord(approval(27), null),
    [`discord/buttons/a-${approval(27)}`]: button(approval(27)),
    [`discord/buttons/a-${approval(20)}`]: button(approval(20)),
    [`approvals/${approval(28)}`]: { ...(approvalRecord(approval(28)) as object), formatVersion: 2 } as Json,
    [`audit-once/${approval(20)}/proposed`]: { id: "e", at: worldAt },
    [`audit-once/${operation(22)}/build/succeeded`]: { id: "e", at: worldAt },
    [`audit/${String(worldAt).padStart(15, "0")}-0000-aa`]: { id: "e", at: worldAt, subject: "s" },
    [`discord/posts/CLAWDINATOR-1/say-operation-${operation(22)}`]: { formatVersion: 1, at: worldAt },
    [`discord/posts/CLAWDINATOR-1/${snowflake(worldAt - 9)}.0`]: { formatVersion: 1, at: worldAt },
    [`discord/deliveries/CLAWDINATOR-1/${snowflake(worldAt - 9)}`]: { formatVersion: 1, at: worldAt },
    "discord/cursors/CLAWDINATOR-1/1": { formatVersion: 1, channel: "1", message: "2", parent: null },
    "discord/sources/c": { sources: ["https://example.org"] },
    "conversations/c": { formatVersion: 1, name: "CLAWDINATOR-1" },
    "names/CLAWDINATOR-1": nameRecord("CLAWDINATOR-1", 3, "i-1"),
    "names/CLAWDINATOR-1/3/heartbeat": heartbeat(worldAt, 3),
    "names/CLAWDINATOR-1/3/drain": { formatVersion: 1, operation: operation(22), requestedAt: worldAt },
    "maintainers/1": { formatVersion: 1 },
    "spend/breaker": { formatVersion: 1 },
  };
}
