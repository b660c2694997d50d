import { expect, test } from "vitest";
import { readConversation } from "../../../agent/conversations.ts";
import { fleetPaths, instancePaths } from "../../../agent/paths.ts";
import type { Work } from "../../../agent/protocol.ts";
import { runWork, startMindGateway } from "../../support/mind-gateway.ts";
import { startMind } from "../../support/mind-process.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

function notice(run: string, occasion?: string): Work {
  const text = "launch CLAWDINATOR-2 — done";
  return { type: "notice", run, message: `message-${run}`, conversation: "talk", epoch: 1, text, occasion };
}

async function started() {
  const home = temporaryDirectory();
  const gateway = await startMindGateway(instancePaths(home, "i-1").mindSocket);
  startMind({ home });
  await gateway.connected();
  const stored = () => readConversation({ directory: fleetPaths(home).conversations, conversation: "talk" });
  const shown = (run: string) => gateway.shown(run).filter(({ type }) => type === "picture");
  return { gateway, stored, shown };
}

test("a succeeded launch brings a picture below its notice, stored and shown; a second one right after does not", async () => {
  const { gateway, stored, shown } = await started();
  gateway.send(notice("r1", "launch"));
  await gateway.done("r1");
  expect(shown("r1")).toHaveLength(1);
  expect((await stored()).map(({ body }) => body.role)).toEqual(["notice", "picture"]);
  gateway.send(notice("r2", "launch"));
  await gateway.done("r2");
  expect(shown("r2")).toEqual([]);
  // Delivered again, it is there already.
  gateway.send(notice("r1", "launch"));
  gateway.send(notice("r3"));
  await gateway.done("r3");
  expect((await stored()).map(({ body }) => body.role)).toEqual(["notice", "picture", "notice", "notice"]);
});

test("a person who asks for a gif gets one; praise brings one only when the last is long past", async () => {
  const { gateway, stored, shown } = await started();
  gateway.send(runWork("r1", "thanks!"));
  await gateway.done("r1");
  expect(shown("r1")).toHaveLength(1);
  gateway.send(runWork("r2", "great job"));
  await gateway.done("r2");
  expect(shown("r2")).toEqual([]);
  gateway.send(runWork("r3", "show me a gif of a trophy"));
  await gateway.done("r3");
  expect(shown("r3")).toEqual([]);
  gateway.send(runWork("r4", "gif landed"));
  expect(await gateway.done("r4")).toMatchObject({ reason: "answered", text: "There you are." });
  expect(shown("r4")).toMatchObject([{ type: "picture", alt: expect.stringMatching(/./) }]);
  const own = (await stored()).filter(({ message }) => message === "message-r4").map(({ body }) => body.role);
  expect(own).toEqual(["user", "assistant", "picture", "tool", "assistant", "end"]);
});

test("no gifs: none is posted in that conversation until somebody asks", async () => {
  const { gateway, shown } = await started();
  gateway.send(runWork("r1", "no gifs"));
  expect((await gateway.done("r1")).text).toContain("No more pictures");
  gateway.send(notice("r2", "launch"));
  await gateway.done("r2");
  expect(shown("r2")).toEqual([]);
  gateway.send(runWork("r3", "show me a gif"));
  await gateway.done("r3");
  expect(shown("r3")).toHaveLength(1);
});
