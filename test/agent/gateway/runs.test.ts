import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createInbox, type Inbox, type Message } from "../../../agent/gateway/inbox.ts";
import { createRuns, type Runs } from "../../../agent/gateway/runs.ts";
import type { ProposeAnswer, RunEvent, Work } from "../../../agent/protocol.ts";
import { readPolicy } from "../../../tools/policy-pin.ts";
import { openPainters, type Painters } from "../../support/painting.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const usage = { turns: 1, inputTokens: 0, outputTokens: 0, usd: 0 };
const done: RunEvent = { type: "done", reason: "answered", text: "the answer", usage };
const holder = { instance: "i-000000000001", epoch: 1 };
const message: Message = {
  formatVersion: 1,
  id: "m1",
  kind: "chat",
  to: "CLAWDINATOR-1",
  channel: "console",
  conversation: "c1",
  author: { kind: "maintainer", id: "1", name: "Ada" },
  text: "what do you think?",
  createdAt: 1,
};

interface Desk {
  painters: Painters;
  inbox: Inbox;
  runs: Runs;
  told: RunEvent[];
  paused: { value: boolean };
}

/** A gateway's part of one run, begun; `inbox` may stand in for the real one. */
async function open(options: { inbox?: (real: Inbox) => Inbox; painters?: Painters } = {}): Promise<Desk> {
  const painters = options.painters ?? (await openPainters({ path: join(temporaryDirectory(), "store.sqlite") }));
  if (!options.painters) onTestFinished(() => painters.close());
  const real = createInbox(painters.store);
  const inbox = options.inbox?.(real) ?? real;
  const told: RunEvent[] = [];
  const paused = { value: false };
  const runs = createRuns({
    instance: holder.instance,
    inbox,
    approvals: painters.approvals,
    audit: painters.audit,
    proposalsPerRun: 2,
    isPaused: async () => paused.value,
    isSensitive: async (operation) => (await readPolicy(painters.store)).isSensitive(operation),
    onEvent: (_conversation, _message, event) => told.push(event),
    onApproved: () => {},
    onAbandon: () => {},
  });
  await inbox.submit(message);
  const claim = await inbox.claim(message, holder);
  runs.begin(message, { epoch: 1, resumed: claim === "resumed" });
  return { painters, inbox, runs, told, paused };
}

function propose(
  { runs }: Desk,
  call: string,
  { operation = "paint", publicSources = [] }: { operation?: string; publicSources?: string[] } = {},
): Promise<ProposeAnswer | null> {
  return runs.propose({ run: "m1.1", call, operation, input: {}, publicSources });
}

function read(publicSource: string): RunEvent {
  return { type: "tool", call: "r", name: "memory_read", state: "succeeded", text: "", publicSource };
}

async function sourcesOf({ painters }: Desk, answer: ProposeAnswer | null): Promise<string[] | undefined> {
  if (answer?.status !== "proposed") throw new Error(`not proposed: ${JSON.stringify(answer)}`);
  return (await painters.approvals.get(answer.approval))?.plan.proposer.publicSources;
}

test("the answer is recorded once and then told", async () => {
  const desk = await open();
  expect(await desk.runs.onEvents("m1.1", [{ type: "text", text: "the answer" }, done])).toBe(true);
  expect(await desk.inbox.outcome("console", "m1")).toMatchObject({ done });
  expect(desk.told.at(-1)).toEqual(done);
  expect(await desk.runs.onEvents("m1.1", [done])).toBe(false);
  expect(desk.runs.count()).toBe(0);
});

test("an answer that could not be recorded is not told, and is taken when the mind says it again", async () => {
  let isFull = true;
  const desk = await open({
    inbox: (real) => ({
      ...real,
      async answer(...parameters) {
        if (isFull) throw new Error("no space left");
        return real.answer(...parameters);
      },
    }),
  });
  await expect(desk.runs.onEvents("m1.1", [done])).rejects.toThrow("no space left");
  expect(desk.told).toEqual([]);
  isFull = false;
  expect(await desk.runs.onEvents("m1.1", [done])).toBe(true);
  expect(await desk.inbox.outcome("console", "m1")).toMatchObject({ done });
});

test("the cap on proposals holds over a restart of the gateway, and a call made again finds its proposal", async () => {
  const desk = await open();
  const first = await propose(desk, "a");
  expect(first).toMatchObject({ status: "proposed", state: "pending" });
  const restarted = await open({ painters: desk.painters });
  expect(await propose(restarted, "b")).toMatchObject({ status: "proposed" });
  expect(await propose(restarted, "c")).toMatchObject({ status: "refused", code: "too_many_proposals" });
  expect(await propose(restarted, "a")).toEqual(first);
  expect(await desk.painters.approvals.list()).toHaveLength(2);
});

test("nothing is proposed for a run that is not open here, nor while the fleet is paused", async () => {
  const desk = await open();
  expect(await desk.runs.propose({ run: "m2.1", call: "a", operation: "paint" })).toBeNull();
  desk.paused.value = true;
  expect(await propose(desk, "a")).toMatchObject({ status: "refused", code: "paused" });
  desk.paused.value = false;
  await desk.runs.onEvents("m1.1", [done]);
  expect(await propose(desk, "a")).toBeNull();
  expect(await desk.painters.approvals.list()).toEqual([]);
});

test("what is shown of a proposal is what was proposed, whatever the mind says of it", async () => {
  const desk = await open();
  const answer = await propose(desk, "a");
  if (answer?.status !== "proposed") throw new Error("not proposed");
  const { approval, digest, summary } = answer;
  const claim = {
    type: "proposal",
    operation: "nothing",
    digest: "0".repeat(64),
    summary: "harmless",
    state: "approved",
  } as const;
  await desk.runs.onEvents("m1.1", [
    { ...claim, approval },
    { ...claim, approval: "ap-ffffffffffff" },
  ]);
  expect(desk.told).toEqual([{ type: "proposal", approval, operation: "paint", digest, summary, state: "pending" }]);
});

test("a mind that connects gets every open run, and what was said before is void", async () => {
  const desk = await open();
  await desk.runs.onEvents("m1.1", [{ type: "text", text: "half an ans" }]);
  const work: Work[] = [];
  desk.runs.connect((item) => work.push(item));
  expect(work).toMatchObject([
    { type: "run", run: "m1.1", message: "m1", epoch: 1, resumed: true, author: { id: "1" } },
  ]);
  expect(desk.told.at(-1)).toMatchObject({ type: "restart" });
});

test("a run that never stops talking is cut off, answered with the reason and forgotten", async () => {
  const desk = await open();
  const text: RunEvent = { type: "text", text: "x".repeat(1_000_000) };
  for (let said = 0; said < 4; said++) expect(await desk.runs.onEvents("m1.1", [text])).toBe(true);
  expect(await desk.runs.onEvents("m1.1", [text])).toBe(false);
  expect(await desk.inbox.outcome("console", "m1")).toMatchObject({
    error: { code: "answer_too_long" },
    done: { reason: "limit" },
  });
  expect(desk.runs.count()).toBe(0);
  expect(await desk.runs.onEvents("m1.1", [text])).toBe(false);
});

test("what a run has read is what the mind says and what its events said, and no mark is ever lost", async () => {
  const desk = await open();
  await desk.runs.onEvents("m1.1", [read("memory a.md")]);
  expect(await sourcesOf(desk, await propose(desk, "a"))).toEqual(["memory a.md"]);
  expect(await sourcesOf(desk, await propose(desk, "b", { publicSources: ["memory b.md"] }))).toEqual([
    "memory a.md",
    "memory b.md",
  ]);
});

test("an event without a name for its public text marks the run all the same", async () => {
  const desk = await open();
  await desk.runs.onEvents("m1.1", [read("")]);
  expect(await sourcesOf(desk, await propose(desk, "a"))).toEqual(["an unnamed source"]);
});

test("a mark outlives a restart of the gateway once something was proposed with it, also over a mind that is silent of it", async () => {
  const desk = await open();
  await propose(desk, "a", { publicSources: ["memory a.md"] });
  const restarted = await open({ painters: desk.painters });
  expect(await sourcesOf(restarted, await propose(restarted, "b"))).toEqual(["memory a.md"]);
});

test("names of sources are made short and harmless, and only so many are kept", async () => {
  const desk = await open();
  const nasty = `a\u001b[2J\u202e\u200b\n[click](javascript:x) \`${"y".repeat(400)}`;
  await desk.runs.onEvents("m1.1", [read(nasty)]);
  const shown = desk.told.find((event) => event.type === "tool");
  const [first = ""] = (await sourcesOf(desk, await propose(desk, "a"))) ?? [];
  expect(first).toBe(`a[2J [click](javascript:x) '${"y".repeat(171)}…`);
  expect([...first]).toHaveLength(200);
  expect(shown).toMatchObject({ publicSource: first });
  await desk.runs.onEvents(
    "m1.1",
    Array.from({ length: 5_000 }, (_, index) => read(`page ${index}`)),
  );
  const many = (await sourcesOf(desk, await propose(desk, "b"))) ?? [];
  expect(many).toHaveLength(20);
  expect([many[0], many[1], many.at(-1)]).toEqual([first, "page 0", "and others"]);
});

test("a sensitive operation is refused to a run that has read public text, with the way out, and told once", async () => {
  const desk = await open();
  await desk.painters.setPolicy({ sensitive: ["pai*"] });
  expect(await propose(desk, "a")).toMatchObject({ status: "proposed" });
  await desk.runs.onEvents("m1.1", [read("memory a.md")]);
  for (let attempt = 0; attempt < 2; attempt++) {
    expect(await propose(desk, "b")).toMatchObject({
      status: "refused",
      code: "sensitive_after_public_text",
      message: expect.stringContaining("`memory a.md`"),
      hint: expect.stringContaining("new conversation"),
    });
  }
  // What was proposed before is found again; it was not made after the text was read.
  expect(await propose(desk, "a")).toMatchObject({ status: "proposed" });
  const told = await desk.painters.audit.list({ limit: 100, subject: "paint" });
  expect(told).toMatchObject([
    { action: "proposal.refused", actor: "maintainer:1", detail: expect.stringContaining("`memory a.md`") },
  ]);
  expect(await desk.painters.approvals.list()).toHaveLength(1);
});

test("what policy lets through by itself waits for a person after public text, unless the rule says otherwise", async () => {
  const rule = { mode: "auto" as const, quorum: 1, expiresHours: 24 };
  const desk = await open();
  await desk.painters.setPolicy({ operations: { paint: rule } });
  expect(await propose(desk, "a")).toMatchObject({ state: "approved" });
  expect(await propose(desk, "b", { publicSources: ["memory a.md"] })).toMatchObject({
    state: "pending",
    quorum: 1,
    warnings: ["Policy allows this without a person, but not to a model that has read public text."],
    publicSources: ["memory a.md"],
  });
  const other = await open();
  await other.painters.setPolicy({ operations: { paint: { ...rule, autoAfterPublicText: true } } });
  expect(await propose(other, "a", { publicSources: ["memory a.md"] })).toMatchObject({ state: "approved" });
});
