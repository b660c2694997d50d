import { expect, test } from "vitest";
import { makeHistory } from "../../../../agent/mind/history.ts";
import { type LoopTool, runLoop } from "../../../../agent/mind/loop.ts";
import type { ConversationEntry } from "../../../../agent/protocol.ts";
import { tools } from "../../../support/wire-driver.ts";
import { startWireServer, type WireAnswer, type WireTurn } from "../../../support/wire-server.ts";
import { wiredProviders } from "../../../support/wired-providers.ts";

const looks: WireTurn = {
  thinking: "I should look.",
  text: ["Let me look."],
  // The same ids in every turn, as some servers count them: the loop gives them others.
  calls: [
    { id: "call_0", name: "look", arguments: ['{"thing":"door"}'] },
    { id: "call_1", name: "version", arguments: [] },
  ],
};
const answers: WireTurn = { thinking: "Nothing is wrong.", text: ["All is well."] };

test.each(wiredProviders.map((provider) => [provider.name, provider] as const))(
  "%s takes a conversation back from the loop and its store, thinking and all, at every message",
  async (_name, provider) => {
    const turns = [looks, looks, answers, looks, answers, answers];
    const server = await startWireServer(
      provider.wire(),
      turns.map((turn): WireAnswer => ({ turn })),
    );
    const environment = provider.environment({ key: "k", baseUrl: server.baseUrl });
    let stored = "";
    let count = 0;
    for (const message of ["m1", "m2", "m3"]) {
      // Each message is answered by another process, which has nothing but the lines.
      const lines = stored.split("\n").filter((line) => line !== "");
      const history = makeHistory(lines.map((line) => JSON.parse(line) as ConversationEntry));
      const record = async (...bodies: ConversationEntry["body"][]): Promise<void> => {
        for (const body of bodies) {
          const entry: ConversationEntry = {
            formatVersion: 1,
            id: `e${count++}`,
            at: 1_800_000_000_000,
            message,
            body,
          };
          stored += `${JSON.stringify(entry)}\n`;
          history.add(entry);
        }
      };
      const author = { kind: "maintainer" as const, id: "1", name: "Ada" };
      await record({ role: "user", author, channel: "console", text: `How are you? (${message})` });
      const result = await runLoop({
        model: provider.model({ model: provider.modelName, environment }),
        system: "You keep a fleet.",
        message,
        conversation: "c1",
        run: `${message}.1`,
        messages: history.messagesFor(message),
        isKnownCall: (call) => history.hasCall(call),
        tools: tools().map(
          (spec): LoopTool => ({
            name: spec.name,
            spec: () => spec,
            run: async () => ({ ok: true, text: `${spec.name} is fine` }),
          }),
        ),
        limits: { turns: 10, tokens: 100_000, seconds: 60 },
        signal: new AbortController().signal,
        emit: () => {},
        record,
      });
      expect(result).toMatchObject({ reason: "answered", error: null });
      await record(...result.unstored);
    }
    expect(server.problems).toEqual([]);
    // All five turns before the last one come back with their thinking: none was left out on the way.
    const sent = server.requests.at(-1)?.bytes.toString() ?? "";
    expect(["I should look.", "Nothing is wrong."].map((thought) => sent.split(thought).length - 1)).toEqual([3, 2]);
    const ids = sent.match(/"(tool_use_id|call_id|tool_call_id)":"[^"]+"/g) ?? [];
    expect(new Set(ids).size).toBe(6);
  },
);
