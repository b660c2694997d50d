import { expect, test } from "vitest";
import { applyEvent, newTurn, turnsOf } from "../../../agent/console/pages/state/turns.ts";
import type { ConversationEntry } from "../../../agent/protocol.ts";
import { doneEvent } from "../../support/console-samples.ts";

function entry(body: ConversationEntry["body"], message = "m-1"): ConversationEntry {
  return { formatVersion: 1, id: "e", at: 5, message, body };
}

const question = entry({
  role: "user",
  author: { kind: "maintainer", id: "a", name: "Ada" },
  channel: "cli",
  text: "hi",
});

test("stored entries and live events of the same run show the same", () => {
  const [stored] = turnsOf(
    [
      question,
      entry({
        role: "assistant",
        text: "Planned.",
        calls: [{ call: "c", name: "instance_launch", input: {} }],
        model: "x",
      }),
      entry({
        role: "tool",
        call: "c",
        name: "instance_launch",
        ok: true,
        text: "proposed",
        data: { proposal: { approval: "apr-1" } },
      }),
      entry({ role: "end", reason: "answered", text: "Planned." }),
    ],
    [],
  );
  const live = newTurn("m-1", "hi", 5);
  applyEvent(live, { type: "text", text: "Plan" });
  applyEvent(live, { type: "text", text: "ned." });
  applyEvent(live, { type: "tool", call: "c", name: "instance_launch", state: "started", text: "" });
  applyEvent(live, { type: "tool", call: "c", name: "instance_launch", state: "succeeded", text: "proposed" });
  applyEvent(live, {
    type: "proposal",
    approval: "apr-1",
    operation: "instance_launch",
    digest: "d",
    summary: "",
    state: "pending",
  });
  applyEvent(live, doneEvent("Planned."));
  expect(stored).toEqual({ ...live, author: "Ada", channel: "cli" });
});

test("a line about the answer stands where it was said", () => {
  const turn = newTurn("m1", "hello", 1);
  applyEvent(turn, { type: "notice", text: "Claude is overloaded; GPT answers this one." });
  applyEvent(turn, { type: "text", text: "Hi." });
  expect(turn.parts).toEqual([
    { kind: "notice", text: "Claude is overloaded; GPT answers this one." },
    { kind: "text", text: "Hi." },
  ]);
});

test("a restart voids what was shown, and the end names the whole answer", () => {
  const turn = newTurn("m-1", "hi", 5);
  applyEvent(turn, { type: "text", text: "wrong" });
  applyEvent(turn, { type: "restart", reason: "handover" });
  expect(turn.parts).toEqual([]);
  applyEvent(turn, { type: "text", text: "second half" });
  applyEvent(turn, doneEvent("first half, second half"));
  expect(turn.parts).toEqual([{ kind: "text", text: "first half, second half" }]);
  expect(turn.status).toBe("ended");
});

test("a failure's text is shown once", () => {
  const turn = newTurn("m-1", "hi", 5);
  applyEvent(turn, { type: "error", code: "model_down", message: "no answer", hint: "later" });
  applyEvent(turn, {
    type: "done",
    reason: "failed",
    text: "no answer",
    usage: { turns: 0, inputTokens: 0, outputTokens: 0, usd: 0 },
  });
  expect(turn.parts).toEqual([{ kind: "error", message: "no answer", hint: "later" }]);
});

test("messages that still run are marked, notices stand alone", () => {
  const turns = turnsOf([question, entry({ role: "notice", text: "CLAWDINATOR-2 is ready" }, "n-1")], ["m-1"]);
  expect(turns.map((turn) => [turn.text, turn.status])).toEqual([
    ["hi", "running"],
    [null, "ended"],
  ]);
});
