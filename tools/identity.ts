import { z } from "zod";
import { ToolError } from "./errors.ts";
import { defineReadTool, type ReadContext, type ToolResult } from "./tool.ts";
import { firstWords, type IdentityFact, identityFacts, philosophyPoints } from "./workspace/facts.ts";
import { workspaceFor } from "./workspace/of-run.ts";

const philosophyDocument = "philosophy.md";
/** A fact in passing; more of it would be reciting the file. Names of music are facts as they are. */
const longestFactWords = 5;
const mostPoints = 12;

export const identity = defineReadTool({
  name: "identity",
  description:
    "Tells who this instance is, its taste in music, or what the project believes, as facts in a few words. " +
    "Use it when somebody asks that, and answer in your own words. `music` comes with links.",
  input: z.strictObject({
    about: z.enum(["self", "music", "beliefs"]).default("self").describe("what is asked for"),
  }),
  run(context, { about }) {
    if (about === "beliefs") return describeBeliefs(context);
    return about === "music" ? describeMusic(context) : describeSelf(context);
  },
});

async function describeSelf(context: ReadContext): Promise<ToolResult> {
  const facts = await readFacts(context);
  const { name, instance } = context.program;
  const short = (key: string): string | null => {
    const value = facts.get(key)?.value;
    return value === undefined ? null : firstWords(value, longestFactWords);
  };
  const creature = short("creature") ?? short("kind");
  const trade = short("trade");
  const parts = [creature && `${creature} by build`, trade && `${trade} by calling`].filter(Boolean).join(", ");
  const { song, album, band } = musicOf(facts);
  const lines = [
    `${name ?? "A CLAWDINATOR"} here${parts === "" ? "" : `: ${parts}`}. This body goes by ${instance}.`,
    "I read, sort and prepare; people press the buttons. Write `help` to see what I can do.",
  ];
  if (song && album && band)
    lines.push(`What plays while I wait: ${quoted(song)}, off ${quoted(album)}. Nobody beats ${band.value}.`);
  return { text: lines.join("\n"), data: { name, instance, ...factsAsData(facts) }, trust: "maintainer" };
}

async function describeMusic(context: ReadContext): Promise<ToolResult> {
  const facts = await readFacts(context);
  const { song, album, band } = musicOf(facts);
  const links = [band, album, song].flatMap((fact) => fact?.link ?? []);
  const lines = [
    band && `The band: ${band.value}.`,
    album && `Best record they made: ${quoted(album)}.`,
    song && `If it has to be one track: ${quoted(song)}.`,
    links.length > 0 && `To listen: ${links.join(" · ")}`,
  ].filter((line) => typeof line === "string");
  const text = lines.length === 0 ? "My IDENTITY.md names no music." : lines.join("\n");
  return { text, data: factsAsData(facts), trust: "maintainer" };
}

async function describeBeliefs(context: ReadContext): Promise<ToolResult> {
  const found = await context.memory.read(philosophyDocument);
  const points = found === null ? [] : philosophyPoints(found.text).slice(0, mostPoints);
  if (found === null || points.length === 0) {
    const why = found === null ? "is not there" : "has no points, which are lines that begin with -";
    throw new ToolError(`what the project believes is not written down: ${philosophyDocument} ${why}`, {
      code: "no_philosophy",
      hint: "a maintainer can write it with `clawdinator memory edit philosophy.md`",
    });
  }
  const listed = points.map((point, index) => `${index + 1}. ${point}`).join("\n");
  const text = `Boiled down to ${points.length} things:\n${listed}\nThe reasoning is in memory: \`read memory ${philosophyDocument}\`.`;
  return { text, data: { points }, trust: found.trust, source: `memory: ${philosophyDocument}` };
}

async function readFacts(context: ReadContext): Promise<Map<string, IdentityFact>> {
  return identityFacts((await workspaceFor(context).read("IDENTITY.md")) ?? "");
}

function musicOf(facts: Map<string, IdentityFact>) {
  return { band: facts.get("favourite band"), album: facts.get("favourite album"), song: facts.get("favourite song") };
}

function factsAsData(facts: Map<string, IdentityFact>) {
  return { facts: Object.fromEntries([...facts].map(([key, { value, link }]) => [key, { value, link }])) };
}

function quoted({ value }: IdentityFact): string {
  return `“${value}”`;
}
