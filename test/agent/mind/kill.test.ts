import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readConversation } from "../../../agent/conversations.ts";
import { fleetPaths, instancePaths } from "../../../agent/paths.ts";
import type { ProposeAnswer, RunEvent } from "../../../agent/protocol.ts";
import { openMemory } from "../../../memory/index.ts";
import {
  callDelta,
  delta,
  doneMark,
  type HeldModel,
  type HeldRequest,
  startHeldModel,
} from "../../support/held-model.ts";
import { type MindGateway, runWork, startMindGateway } from "../../support/mind-gateway.ts";
import { startMind } from "../../support/mind-process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { waitFor } from "../../support/wait.ts";

const module = new URL("../../support/mind-with-tool.ts", import.meta.url).pathname;
const launch = { name: "instance_launch", description: "Launches.", inputSchema: { type: "object" } };
const wholeAnswer = "Let me write that down.\n\nAll of it is done.";

/** Text and two calls at once, then a tool that must not run twice, then the answer. */
function script({ question, results }: HeldRequest): string[] {
  const word = /point-\d+/.exec(question)?.[0] ?? "none";
  if (results.length === 0) {
    const input = JSON.stringify({ document: "notes.md", text: `- ${word}` });
    return [
      delta({ content: "Let me write " }),
      delta({ content: "that down." }),
      callDelta(0, { id: "call_0", name: "memory_append", arguments: "" }),
      callDelta(0, { arguments: input.slice(0, 12) }),
      callDelta(0, { arguments: input.slice(12) }),
      callDelta(1, { id: "call_1", name: "instance_launch", arguments: "{}" }),
      delta({}, "tool_calls"),
      doneMark,
    ];
  }
  if (results.length === 2) {
    return [
      callDelta(0, { id: "call_0", name: "send", arguments: JSON.stringify({ word }) }),
      delta({}, "tool_calls"),
      doneMark,
    ];
  }
  return [delta({ content: "All of it " }), delta({ content: "is done." }), delta({}, "stop"), doneMark];
}

interface World {
  home: string;
  gateway: MindGateway;
  model: HeldModel;
  /** The next proposal is not answered. */
  holdProposal(): Promise<void>;
}

/** Where the mind is killed: resolves when it is there. */
type Point = [title: string, reached: (world: World, run: string) => Promise<unknown>];

const seen = ({ gateway }: World, run: string, is: (event: RunEvent) => boolean) =>
  waitFor(() => gateway.shown(run).some(is), { what: "the event" });
const succeeded = (name: string) => (event: RunEvent) =>
  event.type === "tool" && event.name === name && event.state === "succeeded";

const points: Point[] = [
  ["before the first byte of an answer", ({ model }) => model.holdAt("data: ")],
  ["in the middle of a text", ({ model }) => model.holdAt("that down.", 4)],
  ["between a text and a call", ({ model }) => model.holdAt('"memory_append"', -60)],
  ["in the name of a call", ({ model }) => model.holdAt('"memory_append"', 5)],
  ["between the bytes of a call's input", ({ model }) => model.holdAt("notes.md", 3)],
  ["between two calls", ({ model }) => model.holdAt('"instance_launch"', -40)],
  ["behind the last call, before its end", ({ model }) => model.holdAt('"finish_reason":"tool_calls"')],
  ["in the middle of a proposal", (world) => world.holdProposal()],
  [
    "right after a proposal's result",
    // Held there: what follows must not run twice, so a mind that is killed within it may never run it.
    (world, run) => Promise.all([world.model.holdAt('"send"', -20), seen(world, run, succeeded("instance_launch"))]),
  ],
  ["in a later turn's call", ({ model }) => model.holdAt('"send"', 3)],
  ["in the middle of a tool that must not run twice", ({ home }) => held(home)],
  ["right after its result", (world, run) => seen(world, run, succeeded("send"))],
  ["in the middle of the last text", ({ model }) => model.holdAt("is done.", 4)],
  ["behind the last text, before the end", ({ model }) => model.holdAt('"finish_reason":"stop"')],
  ["once the end was sent", ({ model }) => model.holdAt(doneMark, doneMark.length)],
  ["right after the end", ({ gateway }, run) => gateway.done(run)],
];

async function held(home: string): Promise<void> {
  const before = sent(home).length;
  writeFileSync(join(home, "hang"), "");
  await waitFor(() => sent(home).length > before, { what: "the tool" });
  rmSync(join(home, "hang"));
}

function sent(home: string): string[] {
  const path = join(home, "sent.txt");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
}

test("a mind killed at any point of an answer loses nothing, does nothing twice, and answers once", async () => {
  const home = temporaryDirectory();
  const model = await startHeldModel(script);
  const personality = { provider: "openai-compatible", baseUrl: model.baseUrl, model: "held" };
  writeFileSync(join(home, "config.json"), JSON.stringify({ models: { personality } }));
  let proposing: (() => void) | null = null;
  const gateway = await startMindGateway(instancePaths(home, "i-1").mindSocket, {
    operations: [launch],
    propose({ run }) {
      if (proposing === null) return proposal(run);
      proposing();
      proposing = null;
      return new Promise<ProposeAnswer>(() => undefined);
    },
  });
  const holdProposal = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    proposing = resolve;
    return promise;
  };
  const world: World = { home, gateway, model, holdProposal };

  let mind = startMind({ home, module });
  for (const [index, [title, reached]] of points.entries()) {
    const run = `r${index}`;
    await gateway.connected();
    const isThere = reached(world, run);
    gateway.send(runWork(run, `note point-${index}`, { epoch: 2 * index + 1 }));
    await isThere.catch((error: unknown) => expect.fail(`${title}: ${error}\n${mind.log()}`));
    mind.child.kill("SIGKILL");
    await mind.ended;
    await waitFor(() => !gateway.isConnected(), { what: "the end of the connection" });

    mind = startMind({ home, module });
    await gateway.connected();
    gateway.send(runWork(run, `note point-${index}`, { resumed: true, epoch: 2 * index + 2 }));
    const restarts = () => gateway.events.get(run)?.filter(({ type }) => type === "restart").length ?? 0;
    await waitFor(() => restarts() > 0, { what: `${title}: the run to begin again` });
    const done = await gateway.done(run);
    expect([title, done.reason, done.text]).toEqual([title, "answered", wholeAnswer]);
    const shown = gateway.shown(run);
    expect([title, shown.map((event) => (event.type === "text" ? event.text : "")).join("")]).toEqual([
      title,
      wholeAnswer,
    ]);
    expect([title, shown.filter(({ type }) => type === "proposal").length]).toEqual([title, 1]);
  }

  const entries = await readConversation({ directory: fleetPaths(home).conversations, conversation: "talk" });
  expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
  const memory = openMemory({ directory: fleetPaths(home).memory, writer: "test" });
  const notes = (await memory.read("notes.md"))?.text.trim().split("\n").sort() ?? [];
  const revisions = await memory.history("notes.md");
  await memory.close();
  const words = points.map((_, index) => `point-${index}`);
  expect(notes).toEqual(words.map((word) => `- ${word}`).sort());
  expect(revisions).toHaveLength(points.length);
  expect(sent(home)).toEqual(words);

  for (const [index, [title]] of points.entries()) {
    const own = entries.filter(({ message }) => message === `message-r${index}`).map(({ body }) => body);
    const roles = own.map(({ role }) => role).filter((role) => role !== "started");
    const whole = ["user", "assistant", "tool", "tool", "assistant", "tool", "assistant", "end"];
    expect([title, roles]).toEqual([title, whole]);
    const calls = own.flatMap((body) => (body.role === "assistant" ? body.calls.map(({ call }) => call) : []));
    expect([title, own.flatMap((body) => (body.role === "tool" ? [body.call] : []))]).toEqual([title, calls]);
    const proposed = gateway.proposals.filter(({ run }) => run === `r${index}`).map(({ call }) => call);
    expect([title, [...new Set(proposed)]]).toEqual([title, [calls[1]]]);
  }
  const unknown = entries.filter(({ body }) => body.role === "tool" && body.name === "send" && !body.ok);
  expect(unknown).toHaveLength(1);
}, 120_000);

function proposal(run: string): ProposeAnswer {
  return {
    status: "proposed",
    approval: `ap-${run}`,
    operation: "instance_launch",
    digest: "d".repeat(64),
    summary: "launch a sibling",
    state: "pending",
    expiresAt: 1_900_000_000_000,
    quorum: 1,
    warnings: [],
  };
}
