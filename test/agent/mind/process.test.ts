import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readConversation } from "../../../agent/conversations.ts";
import { fleetPaths, instancePaths } from "../../../agent/paths.ts";
import type { ProposeAnswer } from "../../../agent/protocol.ts";
import { type MindGateway, type MindGatewayOptions, runWork, startMindGateway } from "../../support/mind-gateway.ts";
import { startMind } from "../../support/mind-process.ts";
import { startOpenAiServer } from "../../support/openai-server.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { waitFor } from "../../support/wait.ts";

const launch = { name: "instance_launch", description: "Launches.", inputSchema: { type: "object" } };
const proposed: ProposeAnswer = {
  status: "proposed",
  approval: "ap-1",
  operation: "instance_launch",
  digest: "d".repeat(64),
  summary: "launch CLAWDINATOR-2",
  state: "pending",
  expiresAt: 1_900_000_000_000,
  quorum: 1,
  warnings: ["uncommitted changes are left out"],
};

async function started(
  options: { gateway?: MindGatewayOptions; environment?: NodeJS.ProcessEnv; flags?: string[]; config?: object } = {},
) {
  const home = temporaryDirectory();
  if (options.config) writeFileSync(join(home, "config.json"), JSON.stringify(options.config));
  const socket = instancePaths(home, "i-1").mindSocket;
  const gateway = await startMindGateway(socket, options.gateway);
  const mind = startMind({ home, environment: options.environment, flags: options.flags });
  await gateway.connected();
  const conversations = fleetPaths(home).conversations;
  const stored = () => readConversation({ directory: conversations, conversation: "talk" });
  return { home, socket, gateway, mind, stored, conversations };
}

/** An endpoint that says some words and then nothing more. */
const hangs = { stream: [{ delta: { content: "Thinking" } }], ends: "silent" as const };
/** One that says some words and is done when it is told to be. */
const thinks = () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { answer: { ...hangs, ends: "done" as const, until: promise }, finish: resolve };
};
const says = (text: string) => ({ stream: [{ delta: { content: text } }, { finish: "stop" }] });

/** Work arrives in order: when this is done, the mind has all that was sent before it. */
async function hasTaken(gateway: MindGateway): Promise<void> {
  const rest = { message: "message-n", conversation: "elsewhere", epoch: 1, text: "a word" };
  gateway.send({ type: "notice", run: "n", ...rest });
  await gateway.done("n");
}

test("answers a typed command with the tool's result and stores the whole exchange", async () => {
  const { gateway, stored } = await started();
  gateway.send(runWork("r1", "which version are you?"));
  const done = await gateway.done("r1");
  expect(done).toMatchObject({
    reason: "answered",
    text: expect.stringContaining("CLAWDINATOR-1 (instance i-1) runs version 0.1.0"),
  });
  expect(gateway.hellos).toMatchObject([{ protocol: 1, model: "interpreter" }]);
  expect((await stored()).map(({ body }) => body.role)).toEqual(["user", "assistant", "tool", "assistant", "end"]);
});

test("proposes an operation and tells how to approve it", async () => {
  const { gateway } = await started({ gateway: { operations: [launch], propose: () => proposed } });
  gateway.send(runWork("r1", "please spawn a sibling"));
  const done = await gateway.done("r1");
  expect(gateway.proposals).toEqual([
    { run: "r1", call: "message-r1-0", operation: "instance_launch", input: {}, publicSources: [] },
  ]);
  expect(gateway.shown("r1")).toContainEqual(
    expect.objectContaining({ type: "proposal", approval: "ap-1", digest: proposed.digest, state: "pending" }),
  );
  expect(done.text).toContain("Proposed: launch CLAWDINATOR-2");
  expect(done.text).toContain("uncommitted changes are left out");
  expect(done.text).toContain("`clawdinator approvals approve ap-1`");
});

test("tells a refusal with its hint", async () => {
  const { gateway } = await started({ gateway: { operations: [launch] } });
  gateway.send(runWork("r1", "spawn a sibling"));
  expect((await gateway.done("r1")).text).toBe("I could not do that: not here. ask elsewhere");
});

test("remembers across messages, and the proof reads memory in another process", async () => {
  const { gateway } = await started();
  gateway.send(runWork("r1", "remember that the canary is CLAWDINATOR-2"));
  await gateway.done("r1");
  gateway.send(runWork("r2", "recall canary", { conversation: "other" }));
  expect((await gateway.done("r2")).text).toContain("notes.md:1");
  gateway.send({ type: "prove", prove: "p1" });
  const proof = await waitFor(() => gateway.proofs[0]);
  expect(proof.checks).toMatchObject([
    { name: "model", ok: true },
    { name: "memory", ok: true },
  ]);
});

test("a new message interrupts the running answer of its conversation, and only of that one", async () => {
  const endpoint = await startOpenAiServer([hangs, hangs, says("Done.")]);
  const { gateway, stored } = await started({ environment: { OPENAI_BASE_URL: endpoint.baseUrl } });
  gateway.send(runWork("r1", "one"));
  await waitFor(() => gateway.shown("r1").some(({ type }) => type === "text"));
  gateway.send(runWork("r2", "elsewhere", { conversation: "other" }));
  await waitFor(() => gateway.shown("r2").some(({ type }) => type === "text"));
  gateway.send(runWork("r3", "two"));
  expect(await gateway.done("r1")).toMatchObject({ reason: "interrupted", text: "Thinking" });
  expect(await gateway.done("r3")).toMatchObject({ reason: "answered", text: "Done." });
  expect(gateway.shown("r2").some(({ type }) => type === "done")).toBe(false);
  expect((await stored()).filter(({ body }) => body.role === "end").map(({ body }) => body)).toMatchObject([
    { reason: "interrupted", text: "Thinking" },
    { reason: "answered", text: "Done." },
  ]);
});

test("queues a new message where the configuration says so", async () => {
  const first = thinks();
  const endpoint = await startOpenAiServer([first.answer, says("Second.")]);
  const config = { conversations: { mode: "queue" } };
  const { gateway } = await started({ environment: { OPENAI_BASE_URL: endpoint.baseUrl }, config });
  gateway.send(runWork("r1", "one"));
  await waitFor(() => gateway.shown("r1").some(({ type }) => type === "text"));
  gateway.send(runWork("r2", "two"));
  await hasTaken(gateway);
  first.finish();
  expect(await gateway.done("r1")).toMatchObject({ reason: "answered", text: "Thinking" });
  expect(await gateway.done("r2")).toMatchObject({ reason: "answered", text: "Second." });
});

test("what waited behind another answer does not begin once the fleet is paused: it is given back", async () => {
  const first = thinks();
  const endpoint = await startOpenAiServer([first.answer, says("After the pause.")]);
  const config = { conversations: { mode: "queue" } };
  const environment = { OPENAI_BASE_URL: endpoint.baseUrl };
  let isPaused = false;
  const { gateway } = await started({ environment, config, gateway: { isPaused: () => isPaused } });
  gateway.send(runWork("r1", "one"));
  await waitFor(() => gateway.shown("r1").some(({ type }) => type === "text"));
  gateway.send(runWork("r2", "two"));
  await hasTaken(gateway);
  isPaused = true;
  first.finish();
  expect(await gateway.done("r1")).toMatchObject({ reason: "answered", text: "Thinking" });
  expect(await gateway.done("r2")).toMatchObject({ reason: "parked" });
  expect(endpoint.requests).toHaveLength(1);
  isPaused = false;
  gateway.send(runWork("r2b", "two", { message: "message-r2", resumed: true }));
  expect(await gateway.done("r2b")).toMatchObject({ reason: "answered", text: "After the pause." });
});

test("a channel can have its own mode", async () => {
  const second = thinks();
  const endpoint = await startOpenAiServer([hangs, second.answer, says("Third.")]);
  const config = { conversations: { mode: "interrupt", channels: { cli: "queue" } } };
  const { gateway } = await started({ environment: { OPENAI_BASE_URL: endpoint.baseUrl }, config });
  gateway.send(runWork("r1", "one"));
  await waitFor(() => gateway.shown("r1").some(({ type }) => type === "text"));
  gateway.send(runWork("r2", "two"));
  expect(await gateway.done("r1")).toMatchObject({ reason: "interrupted" });
  await waitFor(() => gateway.shown("r2").some(({ type }) => type === "text"));
  gateway.send(runWork("r3", "three", { channel: "cli" }));
  await hasTaken(gateway);
  second.finish();
  expect(await gateway.done("r2")).toMatchObject({ reason: "answered", text: "Thinking" });
  expect(await gateway.done("r3")).toMatchObject({ reason: "answered", text: "Third." });
});

test("an overloaded model's answer is begun again by the next one, and the person reads one line about it", async () => {
  const broken = { stream: [{ delta: { content: "Half an ans" } }], ends: "broken" as const };
  const busy = { status: 529, headers: { "retry-after-ms": "1" }, body: { error: { message: "overloaded" } } };
  const big = await startOpenAiServer([broken, busy, busy]);
  const small = await startOpenAiServer([says("A whole answer.")]);
  const compatible = (model: string, baseUrl: string) => ({ provider: "openai-compatible", model, baseUrl });
  const models = {
    personality: compatible("big", big.baseUrl),
    fallbacks: [compatible("small", small.baseUrl)],
  };
  const { gateway, stored } = await started({ config: { models } });
  gateway.send(runWork("r1", "one"));
  expect(await gateway.done("r1")).toMatchObject({ reason: "answered", text: "A whole answer.", usage: { usd: 0.02 } });
  expect(gateway.shown("r1").map((event) => (event.type === "done" ? "done" : "text" in event && event.text))).toEqual([
    "big is overloaded; small answers this one.",
    "A whole answer.",
    "done",
  ]);
  expect((await stored()).map(({ body }) => body)).toMatchObject([
    { role: "user" },
    { role: "assistant", text: "A whole answer.", model: "openai-compatible small" },
    { role: "end" },
  ]);
  // Each attempt is one request to the ledger, and each has an end.
  expect(gateway.begins.map(({ model }) => model.model)).toEqual(["big", "big", "big", "small"]);
  await waitFor(() => gateway.ends.length === 4);
});

test("a spent budget is final: the model is not asked, and commands are still answered", async () => {
  const endpoint = await startOpenAiServer([says("Paid for.")]);
  let isSpent = false;
  const refused = { status: "refused" as const, code: "budget_day", hint: "wait until tomorrow", until: null };
  const { gateway } = await started({
    environment: { OPENAI_BASE_URL: endpoint.baseUrl },
    gateway: {
      spend: () => (isSpent ? { ...refused, message: "today's budget is spent" } : { status: "allowed" }),
    },
  });
  gateway.send(runWork("r1", "one"));
  expect((await gateway.done("r1")).text).toBe("Paid for.");
  isSpent = true;
  gateway.send(runWork("r2", "two"));
  expect(await gateway.done("r2")).toMatchObject({
    reason: "failed",
    text: "today's budget is spent. wait until tomorrow",
  });
  gateway.send(runWork("r3", "which version are you?"));
  expect((await gateway.done("r3")).text).toContain("runs version 0.1.0");
  expect(gateway.shown("r3")).toContainEqual({
    type: "notice",
    text: "Today's budget is spent; the built-in commands answer this one.",
  });
  expect(endpoint.requests).toHaveLength(1);
  // One question for each message, however many turns it took.
  expect(gateway.begins).toHaveLength(3);
});

test("a key that appears while the mind runs is used by the next message", async () => {
  const denied = { status: 401, body: { type: "error", error: { type: "authentication_error", message: "no" } } };
  const endpoint = await startOpenAiServer([denied]);
  const directory = temporaryDirectory();
  const environment = { ANTHROPIC_BASE_URL: endpoint.baseUrl.replace("/v1", "") };
  const { gateway } = await started({ environment, config: { secrets: { directory } } });
  gateway.send(runWork("r1", "which version are you?"));
  expect((await gateway.done("r1")).text).toContain("runs version");
  writeFileSync(join(directory, "anthropic-api-key"), "a-key\n");
  gateway.send(runWork("r2", "how are you?"));
  expect((await gateway.done("r2")).reason).toBe("failed");
  expect(gateway.shown("r2")).toContainEqual(expect.objectContaining({ type: "error", code: "model_unauthorized" }));
  expect(endpoint.requests.map(({ path }) => path)).toEqual(["/v1/messages"]);
});

test("an interrupt from the gateway ends the run", async () => {
  const endpoint = await startOpenAiServer([hangs]);
  const { gateway } = await started({ environment: { OPENAI_BASE_URL: endpoint.baseUrl } });
  gateway.send(runWork("r1", "one"));
  await waitFor(() => gateway.shown("r1").some(({ type }) => type === "text"));
  gateway.send({ type: "interrupt", run: "r1", reason: "paused" });
  expect(await gateway.done("r1")).toMatchObject({ reason: "interrupted" });
});

test("a run goes on when its gateway is killed, and the next gateway sees it from the beginning", async () => {
  const release = Promise.withResolvers<ProposeAnswer>();
  const gateways = { operations: [launch], propose: () => release.promise };
  const { gateway, socket, stored } = await started({ gateway: gateways });
  gateway.send(runWork("r1", "spawn a sibling"));
  await waitFor(() => gateway.proposals.length > 0);
  await gateway.kill();

  const next = await startMindGateway(socket, { operations: [launch], propose: () => proposed });
  await next.connected();
  next.send(runWork("r1", "spawn a sibling", { resumed: true }));
  const done = await next.done("r1");
  expect(done).toMatchObject({ reason: "answered", text: expect.stringContaining("ap-1") });
  const seen = (next.events.get("r1") ?? []).map(({ type }) => type);
  // What the killed gateway had not confirmed is sent again first.
  expect(seen.slice(0, seen.indexOf("restart")).filter((type) => type !== "tool")).toEqual([]);
  expect(seen).toContain("restart");
  // Asked again under the same id, so that the gateway finds its first proposal.
  expect(next.proposals.map(({ call }) => call)).toEqual(["message-r1-0"]);
  expect((await stored()).filter(({ body }) => body.role === "user")).toHaveLength(1);
});

test("a run that the new gateway does not know is dropped, and delivered again it is not stored twice", async () => {
  const { gateway, socket, stored } = await started();
  gateway.send(runWork("r1", "version"));
  await gateway.done("r1");
  await gateway.kill();
  const next = await startMindGateway(socket);
  await next.connected();
  next.send(runWork("r1", "version", { resumed: true }));
  expect((await next.done("r1")).text).toContain("version 0.1.0");
  expect((await stored()).filter(({ body }) => body.role === "end")).toHaveLength(1);
});

test("events that the gateway does not know a run for stop the run without an end", async () => {
  const endpoint = await startOpenAiServer([hangs, says("After all.")]);
  let refusals = 0;
  const { gateway, stored } = await started({
    environment: { OPENAI_BASE_URL: endpoint.baseUrl },
    gateway: { knows: () => refusals++ > 0 },
  });
  gateway.send(runWork("r1", "one"));
  await waitFor(() => refusals > 0);
  await waitFor(() => {
    // Redelivered until the dropped attempt has ended; it is ignored while it still runs.
    if (endpoint.requests.length < 2) gateway.send(runWork("r1", "one", { resumed: true }));
    return endpoint.requests.length >= 2;
  });
  expect(await gateway.done("r1")).toMatchObject({ reason: "answered", text: "After all." });
  expect((await stored()).map(({ body }) => body.role)).toEqual(["user", "assistant", "end"]);
});

test("a mind killed in the middle of a run leaves it to be finished by the next one", async () => {
  const never = new Promise<ProposeAnswer>(() => undefined);
  const { gateway, home, mind, socket, stored } = await started({
    gateway: { operations: [launch], propose: () => never },
  });
  gateway.send(runWork("r1", "spawn a sibling"));
  await waitFor(() => gateway.proposals.length > 0);
  mind.child.kill("SIGKILL");
  await mind.ended;
  await gateway.kill();

  const next = await startMindGateway(socket, { operations: [launch], propose: () => proposed });
  startMind({ home });
  await next.connected();
  next.send(runWork("r1", "spawn a sibling", { resumed: true, epoch: 2 }));
  expect((await next.done("r1")).text).toContain("Proposed: launch CLAWDINATOR-2");
  expect(next.proposals.map(({ call }) => call)).toEqual(["message-r1-0"]);
  expect((await stored()).map(({ body }) => body.role)).toEqual(["user", "assistant", "tool", "assistant", "end"]);
});

test("a drain lets a quick run end, parks one that would take too long, and exits with 0", async () => {
  const endpoint = await startOpenAiServer([hangs]);
  const { gateway, mind, stored } = await started({ environment: { OPENAI_BASE_URL: endpoint.baseUrl } });
  gateway.send(runWork("r1", "one"));
  await waitFor(() => gateway.shown("r1").some(({ type }) => type === "text"));
  gateway.send({ type: "drain", deadlineMs: 50 });
  expect(await gateway.done("r1")).toMatchObject({ reason: "parked" });
  expect(await mind.ended).toBe(0);
  expect((await stored()).map(({ body }) => body.role)).toEqual(["user"]);
});

test("SIGTERM drains and SIGINT does nothing", async () => {
  const { gateway, mind } = await started();
  mind.child.kill("SIGINT");
  gateway.send(runWork("r1", "version"));
  await gateway.done("r1");
  mind.child.kill("SIGTERM");
  expect(await mind.ended).toBe(0);
});

test("a second mind of the same instance does not start", async () => {
  const { home } = await started();
  const second = startMind({ home });
  expect(await second.ended).toBe(3);
  expect(second.log()).toContain("mind.locked");
});

test("without a gateway for long enough the mind ends by itself", async () => {
  const { gateway, mind } = await started({ flags: ["--give-up-seconds", "0.2"] });
  await gateway.kill();
  expect(await mind.ended).toBe(4);
});

test("a broken conversation file is told as the answer and stays untouched", async () => {
  const { gateway, conversations } = await started();
  mkdirSync(join(conversations, "talk"), { recursive: true });
  writeFileSync(join(conversations, "talk", "1.jsonl"), "not json\n{}\n");
  gateway.send(runWork("r1", "version"));
  const done = await gateway.done("r1");
  expect(done.reason).toBe("failed");
  expect(done.text).toMatch(/talk\/1\.jsonl is corrupt in line 1/);
  expect(gateway.shown("r1")).toContainEqual(expect.objectContaining({ type: "error", code: "conversation_corrupt" }));
});

test("a notice is stored once", async () => {
  const { gateway, mind, stored } = await started();
  const notice = {
    type: "notice" as const,
    run: "n1.1",
    message: "n1",
    conversation: "talk",
    epoch: 1,
    text: "CLAWDINATOR-2 is ready",
  };
  gateway.send(notice);
  gateway.send(notice);
  expect(await gateway.done("n1.1")).toMatchObject({ reason: "answered", text: "CLAWDINATOR-2 is ready" });
  mind.child.kill("SIGTERM");
  await mind.ended;
  expect((await stored()).map(({ body }) => body)).toEqual([{ role: "notice", text: "CLAWDINATOR-2 is ready" }]);
});

test("a notice that cannot be stored ends with the reason", async () => {
  const { gateway, conversations } = await started();
  mkdirSync(join(conversations, "talk"), { recursive: true });
  writeFileSync(join(conversations, "talk", "1.jsonl"), "not json\n");
  gateway.send({ type: "notice", run: "n1.1", message: "n1", conversation: "talk", epoch: 1, text: "ready" });
  expect((await gateway.done("n1.1")).reason).toBe("failed");
});
