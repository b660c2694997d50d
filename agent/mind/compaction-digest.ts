/** Entries as text: whole, for a summarizer; and shortened by rule, for when there is none. */
import { firstLine } from "../../tools/shorten.ts";
import type { ConversationEntry } from "../protocol.ts";
import { proposalOf } from "./proposal.ts";

const maxSaidCharacters = 240;
const maxResultCharacters = 120;

/** Everything that was said, as a summarizer reads it; empty for what a model never sees. */
export function transcriptOf({ at, body }: ConversationEntry): string {
  const time = timeOf(at);
  if (body.role === "user") return `[${time}] ${body.author.name} (${body.author.kind}): ${body.text}`;
  if (body.role === "notice") return `[${time}] notice from the program: ${body.text}`;
  if (body.role === "tool") {
    const origin = body.trust === "public" ? ", text from the public internet" : "";
    return `[${time}] result of ${body.name} (${body.ok ? "ok" : "failed"}${origin}): ${body.text}`;
  }
  if (body.role !== "assistant") return "";
  const calls = body.calls.map(({ name, input }) => `\n  calls ${name} with ${JSON.stringify(input)}`).join("");
  return `[${time}] assistant: ${body.text}${calls}`;
}

/**
 * The same without a model: what was asked and answered by its first lines, what tools were called for and said shorter
 * still. Where room is short the calls go first, the oldest before the newer ones.
 */
export function digestOf(options: { before: string; entries: ConversationEntry[]; maxCharacters: number }): string {
  const { entries, maxCharacters } = options;
  const before = endOf(options.before, maxCharacters / 2);
  const lines = entries.flatMap(digestLine);
  const kept = new Set<number>();
  let room = maxCharacters - before.length;
  for (const isAside of [false, true]) {
    for (const [index, line] of [...lines.entries()].reverse()) {
      if (line.isAside !== isAside) continue;
      room -= line.text.length + 1;
      if (room < 0) break;
      kept.add(index);
    }
  }
  const shown = lines.filter((_, index) => kept.has(index)).map(({ text }) => text);
  const isShorter = shown.length < lines.length && !before.startsWith(leftOut);
  return [...(isShorter ? [leftOut] : []), ...(before === "" ? [] : [before]), ...shown].join("\n");
}

const leftOut = "(some lines are left out)";

/** Whole lines from the end of a text, or the end of its last line. */
function endOf(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = text.slice(-Math.floor(most)).toWellFormed();
  const lineBreak = end.indexOf("\n");
  return `${leftOut}\n${lineBreak === -1 ? end : end.slice(lineBreak + 1)}`;
}

interface DigestLine {
  text: string;
  /** A call or its result, as opposed to what was said. */
  isAside: boolean;
}

function digestLine({ at, body }: ConversationEntry): DigestLine[] {
  const said = (text: string): DigestLine => ({ text: `${timeOf(at)} ${text}`, isAside: false });
  const aside = (text: string): DigestLine => ({ text: `  ${text}`, isAside: true });
  if (body.role === "user") return [said(`${body.author.name}: ${firstLine(body.text, maxSaidCharacters)}`)];
  if (body.role === "notice") return [said(`notice: ${firstLine(body.text, maxSaidCharacters)}`)];
  if (body.role === "tool") {
    const proposal = proposalOf(body.data);
    const text = proposal === null ? body.text : `${proposal.summary} (${proposal.approval})`;
    return [aside(`${body.name} ${body.ok ? "gave" : "failed"}: ${firstLine(text, maxResultCharacters)}`)];
  }
  if (body.role !== "assistant") return [];
  const answer = body.text.trim() === "" ? [] : [said(`answered: ${firstLine(body.text, maxSaidCharacters)}`)];
  const calls = body.calls.map(({ name, input }) =>
    aside(`called ${name} with ${firstLine(JSON.stringify(input) ?? "nothing", maxResultCharacters)}`),
  );
  return [...answer, ...calls];
}

function timeOf(at: number): string {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? "?" : time.toISOString().slice(0, 16);
}
