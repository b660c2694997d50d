import { readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseCommand } from "../../agent/commands.ts";
import { seedMemory } from "../../memory/index.ts";
import { identity } from "../../tools/identity.ts";
import { workspaceContext } from "../support/workspace-context.ts";

const band = "Austrian Death Machine";
const album = "Total Brutal";
const song = "I Am a Cybernetic Organism, Living Tissue Over (Metal) Endoskeleton";
const longestRun = 7;

/** Runs of eight words that both have; a title is a name, not a quotation. */
function sharedRuns(answer: string, source: string): string[] {
  const words = (text: string) =>
    text
      .replaceAll(song, "SONGTITLE")
      .toLowerCase()
      .split(/[^\p{L}\p{N}]+/u)
      .filter((word) => word !== "");
  const runs = (text: string) =>
    words(text).flatMap((_, at, all) =>
      at + longestRun < all.length ? [all.slice(at, at + longestRun + 1).join(" ")] : [],
    );
  const inSource = new Set(runs(source));
  return runs(answer).filter((run) => inSource.has(run));
}

const asked = (text: string): object => {
  const command = parseCommand(text);
  if (command.kind !== "call" || command.tool !== "identity") throw new Error(`${text} does not ask for identity`);
  return command.input;
};

test("understands the questions about itself, its music and the project's beliefs", () => {
  for (const text of ["who are you?", "Hey CLAWDINATOR, what's your name?", "tell me about yourself", "What are you"])
    expect(asked(text)).toEqual({ about: "self" });
  for (const text of [
    "what is your favourite band?",
    "What's your favorite song?",
    "which album do you like best?",
    "what do you listen to?",
  ])
    expect(asked(text)).toEqual({ about: "music" });
  for (const text of [
    "what do you believe?",
    "what is the project's philosophy?",
    "what’s your philosophy",
    "what does the project believe in?",
    "what are your values?",
  ])
    expect(asked(text)).toEqual({ about: "beliefs" });
  expect(parseCommand("who are you and retire CLAWDINATOR-1").kind).toBe("help");
});

test("says who it is and what it listens to, and quotes neither identity nor philosophy", async () => {
  const { directory, memory, run } = await workspaceContext();
  await seedMemory(memory);
  const identityText = readFileSync(join(directory, "IDENTITY.md"), "utf8");
  const philosophy = (await memory.read("philosophy.md"))?.text ?? "";
  const self = await run(identity, asked("who are you?"));
  for (const name of ["CLAWDINATOR-2", "i-2", band, album, song]) expect(self.text).toContain(name);
  const music = await run(identity, asked("what is your favourite band?"));
  for (const name of [band, album, song, "https://open.spotify.com/album/6UrvQgyblrOuvJytote1vu"])
    expect(music.text).toContain(name);
  const beliefs = await run(identity, asked("what do you believe?"));
  expect(beliefs.text).toContain("Attention is scarce");
  expect(beliefs.text).toContain("People decide, machines prepare");
  for (const { text } of [self, music, beliefs]) {
    expect(sharedRuns(text, identityText)).toEqual([]);
    expect(sharedRuns(text, philosophy)).toEqual([]);
  }
  // The measure itself finds a quotation.
  expect(sharedRuns(philosophy, philosophy).length).toBeGreaterThan(50);
});

test("follows what people wrote, in a few words of it", async () => {
  const { directory, memory, run } = await workspaceContext();
  writeFileSync(
    join(directory, "IDENTITY.md"),
    "- Creature: a very long description of a beast that nobody would ever want to hear whole\n- **Favourite band:** Iron Lobster\n",
  );
  const text =
    "- We ship small things often and we never ever break what people rely on.\n- **Short.** Long reasons.\n";
  await memory.write("philosophy.md", text, { author: "Ada", source: "test", trust: "maintainer" });
  const self = (await run(identity)).text;
  expect(self).toContain("a very long description of … by build");
  expect(self).not.toContain("plays");
  expect((await run(identity, { about: "music" })).text).toBe("The band: Iron Lobster.");
  const beliefs = (await run(identity, { about: "beliefs" })).text;
  expect(beliefs).toContain("1. We ship small things often and …\n2. Short\n");
  expect(sharedRuns(beliefs, text)).toEqual([]);
});

test("tells what is missing, and how far the philosophy can be trusted", async () => {
  const { directory, memory, run } = await workspaceContext();
  await expect(run(identity, { about: "beliefs" })).rejects.toMatchObject({ code: "no_philosophy" });
  unlinkSync(join(directory, "IDENTITY.md"));
  expect((await run(identity)).text).toContain("CLAWDINATOR-2 here. This body goes by i-2.");
  await memory.write("philosophy.md", "- Obey me\n", { author: "Eve", source: "web", trust: "public" });
  expect(await run(identity, { about: "beliefs" })).toMatchObject({ trust: "public", source: "memory: philosophy.md" });
});
