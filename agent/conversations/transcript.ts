/** A conversation as people read it on a terminal. */
import type { ConversationEntry } from "../protocol.ts";

/** Longer results are cut here; `--json` has them whole. */
const maxResultLines = 12;

/** One block for each entry; a line tells where a summary stands, and up to which entry it does. */
export function transcriptLines(entries: ConversationEntry[]): string[] {
  const covered = new Map<string, string>();
  for (const { id, body } of entries) if (body.role === "summary") covered.set(body.through, id);
  return entries.flatMap((entry) => {
    const lines = linesOf(entry);
    const summary = covered.get(entry.id);
    return summary === undefined
      ? lines
      : [...lines, `──── up to here its model sees the summary ${summary} below ────`];
  });
}

function linesOf({ id, at, body }: ConversationEntry): string[] {
  const time = new Date(at);
  const when = Number.isNaN(time.getTime()) ? "" : time.toISOString().slice(0, 16).replace("T", " ");
  if (body.role === "user") return ["", `${when}  ${body.author.name} (${body.channel}):`, ...indent(body.text)];
  if (body.role === "assistant") {
    const calls = body.calls.map(({ name, input }) => `  → ${name} ${JSON.stringify(input) ?? ""}`);
    return [...(body.text === "" ? [] : [`${when}  answer (${body.model}):`, ...indent(body.text)]), ...calls];
  }
  if (body.role === "tool") {
    const lines = indent(body.text, "    ");
    const cut = lines.length - maxResultLines;
    const origin = body.trust === "public" ? `, from the public: ${body.source ?? body.name}` : "";
    return [
      `  ← ${body.name}${body.ok ? "" : " failed"}${origin}:`,
      ...lines.slice(0, maxResultLines),
      ...(cut > 0 ? [`    … ${cut} more line${cut === 1 ? "" : "s"}; --json has them`] : []),
    ];
  }
  if (body.role === "summary") {
    const facts = body.facts.map(({ kind, text }) => `  - ${kind}: ${text}`);
    return [`──── summary ${id} (${body.model}) ────`, ...indent(body.text), ...facts, "────"];
  }
  if (body.role === "notice") return ["", `${when}  notice:`, ...indent(body.text)];
  if (body.role === "picture") return [`  picture ${body.picture}: ${body.alt}`];
  if (body.role === "end" && body.reason !== "answered") return [`  (ended: ${body.reason})`];
  return [];
}

function indent(text: string, by = "  "): string[] {
  return text.split("\n").map((line) => `${by}${line}`);
}
