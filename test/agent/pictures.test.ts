import { expect, test } from "vitest";
import { parseCommand } from "../../agent/commands.ts";
import { pictures } from "../../agent/pictures/catalogue.ts";
import { occasionOf } from "../../agent/pictures/operation-occasion.ts";
import { asksForPicture, isPraise, pictureSwitchOf } from "../../agent/pictures/words.ts";
import { choosePicture, type PictureMode, type PictureWish } from "../../agent/pictures.ts";
import type { ConversationEntry } from "../../agent/protocol.ts";
import { picture as pictureTool } from "../../tools/picture.ts";
import { occasions } from "../../tools/picture-occasions.ts";

const minute = 60_000;
const start = 1_800_000_000_000;
const author = { kind: "maintainer" as const, id: "m1", name: "Ada" };

function entry(message: string, at: number, body: ConversationEntry["body"]): ConversationEntry {
  return { formatVersion: 1, id: `${message}.0`, at, message, body };
}
function said(
  message: string,
  at: number,
  text: string,
  by: typeof author | { kind: "instance"; id: string; name: string } = author,
) {
  return entry(message, at, { role: "user", author: by, channel: "console", text });
}
function notice(message: string, at: number) {
  return entry(message, at, { role: "notice", text: "launch CLAWDINATOR-2 — done" });
}
function posted(message: string, at: number, picture = "pod") {
  return entry(message, at, { role: "picture", picture, alt: "x" });
}
function chatter(count: number, at: number): ConversationEntry[] {
  return Array.from({ length: count }, (_, index) => said(`c${at}-${index}`, at + index, "status"));
}
function choose(entries: ConversationEntry[], wish: Partial<PictureWish> = {}, mode: PictureMode = "seldom") {
  const choice = choosePicture({
    entries,
    mode,
    pictures: pictures(),
    wish: { message: "n", occasion: "launch", at: start, ...wish },
  });
  return "none" in choice ? choice.none : choice.picture.id;
}

test("posts a picture of the occasion, the same one each time it is asked about the same message", () => {
  const first = choose([notice("n", start)]);
  expect(pictures().find(({ id }) => id === first)?.occasions).toContain("launch");
  expect(choose([notice("n", start)])).toBe(first);
  const many = new Set(Array.from({ length: 40 }, (_, index) => choose([], { message: `n${index}` })));
  expect(many.size).toBeGreaterThan(1);
});

test("never posts two in a row, nor too soon by messages or by minutes", () => {
  const before = start - 25 * minute;
  expect(choose([posted("a", before), notice("n", start)])).toBe("too_soon");
  expect(choose([posted("a", before), ...chatter(5, before + 1), notice("n", start)])).toBe("too_soon");
  expect(choose([posted("a", start - 19 * minute), ...chatter(9, start - 18 * minute), notice("n", start)])).toBe(
    "too_soon",
  );
  expect(choose([posted("a", before), ...chatter(6, before + 1), notice("n", start)])).not.toBe("too_soon");
  const often = [posted("a", start - 6 * minute), ...chatter(3, start - 5 * minute), notice("n", start)];
  expect(choose(often)).toBe("too_soon");
  expect(choose(often, {}, "often")).not.toBe("too_soon");
});

test("posts few a day, and none with the mode off", () => {
  const day = Array.from({ length: 6 }, (_, index) => {
    const at = start - (7 - index) * 60 * minute;
    return [posted(`p${index}`, at, "wave"), ...chatter(7, at + 1)];
  }).flat();
  expect(choose(day)).toBe("enough_today");
  expect(choose(day.slice(8))).not.toBe("enough_today");
  expect(choose([said("n", start, "show me a gif")], {}, "off")).toBe("off");
});

test("does not show again what was among the last ten, and says none when nothing else fits", () => {
  const launch = pictures().filter(({ occasions }) => occasions.includes("launch"));
  const shown = launch.slice(1).map(({ id }, index) => posted(`p${index}`, start - 2000 * minute + index, id));
  const entries = [...shown, ...chatter(9, start - 1000 * minute)];
  for (const message of ["a", "b", "c"]) expect(choose(entries, { message })).toBe(launch[0]?.id);
  const all = [posted("p", start - 2001 * minute, launch[0]?.id), ...entries];
  expect(choose(all)).toBe("no_match");
  expect(choose([...all, said("n", start, "gif launch")])).not.toBe("no_match");
});

test("a person turns them off and on in the conversation; nobody else does", () => {
  expect(choose([said("a", start, "no gifs, thanks"), notice("n", start)])).toBe("unwanted");
  expect(choose([said("a", start, "No pictures please."), ...chatter(30, start), notice("n", start)])).toBe("unwanted");
  const back = [said("a", start, "no gifs"), said("b", start, "gifs please"), notice("n", start)];
  expect(choose(back)).not.toBe("unwanted");
  const bot = { kind: "instance" as const, id: "i", name: "i" };
  expect(choose([said("a", start, "no gifs", bot), notice("n", start)])).not.toBe("unwanted");
});

test("is silent while people are annoyed, in an incident, and while a plan waits for a decision", () => {
  for (const text of ["we have an incident", "this is annoying", "is that a security problem?", "wtf happened"])
    expect(choose([said("a", start, text), notice("n", start)])).toBe("serious");
  expect(choose([said("a", start, "this is annoying"), ...chatter(3, start)])).not.toBe("serious");
  const pending = entry("a", start, {
    role: "tool",
    call: "1",
    name: "instance_launch",
    ok: true,
    text: "",
    data: { proposal: { approval: "ap", state: "pending" } },
  });
  expect(choose([said("a", start, "spawn a sibling"), pending], { message: "b", occasion: "praise" })).toBe("serious");
  expect(choose([pending, notice("n", start)])).not.toBe("serious");
});

test("in a serious moment only a fitting picture is posted", () => {
  const serious = pictures()
    .filter((one) => one.serious)
    .map(({ id }) => id);
  for (let index = 0; index < 20; index += 1) {
    expect(serious).toContain(choose([], { message: `m${index}`, occasion: "rollback-done", isSerious: true }));
    const asked = [said("a", start, "we have an outage"), said(`m${index}`, start, "show me a gif")];
    expect(serious).toContain(choose(asked, { message: `m${index}`, occasion: null }));
  }
});

test("whoever asks gets one even right after another and where they are off, up to a flood", () => {
  const entries = [said("a", start, "no gifs"), posted("b", start, "wave"), said("n", start, "show me a gif")];
  expect(pictures().map(({ id }) => id)).toContain(choose(entries, { occasion: null }));
  const five = Array.from({ length: 5 }, (_, index) => posted(`p${index}`, start - index, `x${index}`));
  expect(choose([...five, said("n", start, "show me a gif")])).toBe("flood");
  expect(choose([...five, said("n", start + 11 * minute, "show me a gif")], { at: start + 11 * minute })).not.toBe(
    "flood",
  );
});

test("tells requests, switches and praise from other talk", () => {
  for (const text of [
    "gif",
    "show me a gif",
    "gif ready",
    "hey, can you send us a picture?",
    "@CLAWDINATOR-1 another gif!",
  ])
    expect([text, asksForPicture(text)]).toEqual([text, true]);
  for (const text of ["status", "no gifs", "the gif encoder is broken", "prune images", "stop sending pictures"])
    expect([text, asksForPicture(text)]).toEqual([text, false]);
  expect(["no more gifs", "turn off the pictures", "don't post any gifs", "gifs off"].map(pictureSwitchOf)).toEqual(
    Array(4).fill("off"),
  );
  expect(["gifs please", "more pictures", "gifs are fine"].map(pictureSwitchOf)).toEqual(Array(3).fill("on"));
  expect(pictureSwitchOf("remove all images")).toBeNull();
  expect(["thanks!", "Great job", "thank you, well done", "nice work."].map(isPraise)).toEqual(Array(4).fill(true));
  expect(
    ["thanks, now retire CLAWDINATOR-2", "status", "thanks, but it failed", "nice, can you?"].map(isPraise),
  ).toEqual(Array(4).fill(false));
});

test("the interpreter understands sentences about pictures, and guesses nothing", () => {
  const input = (text: string) => {
    const command = parseCommand(text);
    return command.kind === "call" && command.tool === "picture" ? command.input : command.kind;
  };
  expect(["gif", "show me a gif", "another gif, please", "send us a picture"].map(input)).toEqual(Array(4).fill({}));
  expect(["gif ready", "show me a gif of rollback done"].map(input)).toEqual([
    { occasion: "ready" },
    { occasion: "rollback-done" },
  ]);
  expect(["no gifs", "gifs please"].map(input)).toEqual([{ wanted: false }, { wanted: true }]);
  expect(input("gif of a cat")).toBe("help");
});

test("the end of an operation is an occasion, except for policy, secrets and failures", () => {
  expect(occasionOf({ operation: "instance_launch", state: "succeeded" })).toBe("launch");
  expect(occasionOf({ operation: "instance_launch", state: "compensated" })).toBe("rollback-done");
  expect(occasionOf({ operation: "instance_launch", state: "failed" })).toBeUndefined();
  expect(occasionOf({ operation: "policy_change", state: "succeeded" })).toBeUndefined();
});

test("the tool says what was posted or why not, and posts nothing where there is nowhere to show it", async () => {
  const run = (input: object, postPicture?: () => Promise<{ refused: string }>) =>
    pictureTool.run({ postPicture } as never, input);
  expect((await run({})).text).toContain("none can be shown");
  expect((await run({}, async () => ({ refused: "the last one was not long ago" }))).text).toBe(
    "No picture: the last one was not long ago.",
  );
  expect((await run({ wanted: false })).text).toContain("No more pictures");
  expect(pictureTool.input.safeParse({ occasion: occasions[0] }).success).toBe(true);
});
