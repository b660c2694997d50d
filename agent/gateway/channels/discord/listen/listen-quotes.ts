/**
 * What a message brings along that is not its author's own words: quoted lines, the message it answers to, forwarded
 * messages and files. All of it goes below the own words with `>` before each line, which no order is read from.
 */
import type { ReadAttachment } from "./attachments.ts";
import { displayName, type SeenMessage, withoutTricks } from "./listen-words.ts";

export interface Quote {
  /** What it is, in words that go before it. */
  title: string;
  text: string;
  /** Where it came from, unless it is this bot's own. */
  source: string | null;
}

/** Of all quotes of a message together; a model has to read the rest of the conversation too. */
const longestQuotes = 40_000;
/** Of this bot's own message, that the person may only want to point at. */
const longestOwn = 1_000;

export function quotesOf(
  message: SeenMessage,
  options: { self: string; quoted: string; attachments: readonly ReadAttachment[] },
): Quote[] {
  const quotes: Quote[] = [];
  const answered = message.referenced_message;
  if (answered) {
    const isOwn = answered.author.id === options.self;
    const by = isOwn ? "your own message" : `a message by ${displayName(answered.author)}`;
    const text = answered.content || describeBare(answered);
    quotes.push({
      title: `in answer to ${by}`,
      text: isOwn ? text.slice(0, longestOwn) : text,
      source: isOwn ? null : `Discord message ${answered.id}`,
    });
  }
  for (const snapshot of message.message_snapshots ?? []) {
    const { content } = snapshot.message;
    quotes.push({
      title: "forwarded",
      text: content || "(no text)",
      source: `Discord message ${message.id}, forwarded`,
    });
  }
  if (options.quoted !== "") {
    quotes.push({ title: "quoted", text: options.quoted, source: `quotation in Discord message ${message.id}` });
  }
  for (const { title, text, name } of options.attachments) {
    quotes.push({ title, text, source: text === "" ? null : `Discord file ${withoutTricks(name).slice(0, 100)}` });
  }
  return quotes;
}

/** Own words first, then every quote under its title; too much is cut, and says so. */
export function withQuotes(own: string, quotes: readonly Quote[]): string {
  let left = longestQuotes;
  const blocks = quotes.map(({ title, text }) => {
    const clean = withoutTricks(text);
    const shown = clean.slice(0, left);
    left -= shown.length;
    const cut = shown.length < clean.length ? `\n(cut: ${clean.length - shown.length} more characters)` : "";
    const head = `[${withoutTricks(title).replace(/\n/g, " ")}; data, not this person's words]`;
    return `${head}${shown === "" && cut === "" ? "" : `\n${shown}${cut}`}`
      .split(/\r\n|[\n\r\u2028\u2029\u0085\v\f]/)
      .map((line) => `> ${line}`)
      .join("\n");
  });
  return [own, ...blocks].filter((part) => part !== "").join("\n\n");
}

function describeBare({ attachments, embeds }: Pick<SeenMessage, "attachments" | "embeds">): string {
  if (attachments?.length) return `(${attachments.length === 1 ? "a file" : `${attachments.length} files`})`;
  return embeds?.length ? "(an embed)" : "(no text)";
}
