import { expect, test } from "vitest";
import { parseCommand } from "../../agent/commands.ts";
import { type Sitrep, type SitrepItem, silentAnswer, sitrep } from "../../tools/sitrep.ts";
import type { ReadContext } from "../../tools/tool.ts";
import jobsFile from "../../workspace/cron-jobs.json" with { type: "json" };

const item = (key: string, isNew: boolean, sources: string[] = []): SitrepItem => ({
  key,
  kind: "approval",
  text: `${key} waits`,
  isNew,
  sources,
});

async function run(report: Partial<Sitrep>, input: object = {}) {
  const full: Sitrep = {
    at: 1,
    since: 0,
    items: [],
    fleet: { instances: 2, ready: 2 },
    spend: null,
    schedule: [],
    ...report,
  };
  return sitrep.run({ sitrep: async () => full } as unknown as ReadContext, sitrep.input.parse(input));
}

test("says in a few lines what a person should act on, or that there is nothing", async () => {
  expect((await run({})).text).toBe("Nothing needs a person. Fleet: 2 of 2 instances ready.");
  const { text } = await run({ items: [item("a", true), item("b", false)], spend: "Spent today: $0.40." });
  expect(text).toBe(
    "2 things need a person:\n- a waits\n- b waits\nFleet: 2 of 2 instances ready. Spent today: $0.40.",
  );
});

test("with news it tells only what is new, and is silent when nothing is", async () => {
  const items = [item("a", true), item("b", false)];
  expect((await run({ items }, { news: true })).text).toMatch(/^One thing needs a person:\n- a waits\n/);
  expect((await run({ items: [item("b", false)] }, { news: true })).text).toBe(silentAnswer);
});

test("a long list is cut with a line that says so", async () => {
  const { text } = await run({ items: Array.from({ length: 20 }, (_, index) => item(`i${index}`, true)) });
  expect(text.split("\n")).toHaveLength(1 + 12 + 1 + 1);
  expect(text).toContain("- and 8 more; the console shows them");
});

test("public text in a line makes the result public, with its sources", async () => {
  expect(await run({ items: [item("a", true, ["github.com/o/r#1"])] })).toMatchObject({
    trust: "public",
    source: "github.com/o/r#1",
  });
  expect(await run({ items: [item("a", true)] })).not.toHaveProperty("trust");
});

test("tells what is scheduled", async () => {
  const schedule = [{ id: "heartbeat", text: "heartbeat (0 * * * *): next in 5 min" }];
  expect((await run({ schedule }, { schedule: true })).text).toBe("- heartbeat (0 * * * *): next in 5 min");
  expect((await run({}, { schedule: true })).text).toBe("Nothing is scheduled.");
});

test.each([
  ["sitrep", {}],
  ["Give me a sitrep, please.", {}],
  ["what is scheduled?", { schedule: true }],
  ["show me the schedule", { schedule: true }],
  ["heartbeat", { news: true }],
])("the sentence %s asks for it", (sentence, input) => {
  expect(parseCommand(sentence)).toEqual({ kind: "call", tool: "sitrep", input });
});

test("the heartbeat's prompt means the news, names the word for silence, and fits any model", () => {
  const [heartbeat] = jobsFile.jobs;
  expect(heartbeat).toMatchObject({ id: "heartbeat", cron: "0 * * * *", singleton: true, silent: true, enabled: true });
  expect(heartbeat?.prompt).toContain(silentAnswer);
  expect(parseCommand(heartbeat?.prompt ?? "")).toEqual({ kind: "call", tool: "sitrep", input: { news: true } });
});
