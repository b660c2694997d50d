/**
 * What a message of Discord's says to this bot: whom it addresses, and its text as a person would read it. The author's
 * own words and what is quoted in them are kept apart, because only own words can ask for anything.
 */
import type { APIMessage, APIUser } from "discord.js";

/** A message as the gateway and the REST interface send it. */
export type SeenMessage = APIMessage & {
  guild_id?: string;
  member?: { nick?: string | null; roles?: string[] };
};

/** Whom the message speaks to: this bot, a sibling or nobody of the fleet, or whichever of the fleet is there. */
export type Addressee = "me" | "other" | "anyone" | "nobody";

export interface Names {
  /** CLAWDINATOR-n. */
  name: string;
  self: string;
  /** The roles that stand for this bot alone. */
  selfRoles: readonly string[];
  /** User ids of the fleet's other bots. */
  siblings: ReadonlySet<string>;
}

export function addresseeOf(
  message: SeenMessage,
  options: Names & { isDirect: boolean; requireMention: boolean; patterns: readonly RegExp[] },
): Addressee {
  if (options.isDirect) return "me";
  const own = partsOf(message.content).own.replace(/```[\s\S]*?(?:```|$)|`[^`\n]*`/g, " ");
  const named = startingName(own);
  if (named !== null) return named === options.name ? "me" : "other";
  const first = firstMention(own, options);
  if (first) return first;
  const answered = message.referenced_message?.author.id;
  if (answered !== undefined && answered === options.self) return "me";
  if (answered !== undefined && options.siblings.has(answered)) return "other";
  if (options.patterns.some((pattern) => pattern.test(own))) return "anyone";
  return options.requireMention ? "nobody" : "anyone";
}

/** Of several of the fleet's bots the first one is meant. */
function firstMention(text: string, { self, selfRoles, siblings }: Names): "me" | "other" | null {
  for (const [, role, id = ""] of text.matchAll(/<@(!|&)?([0-9]{5,20})>/g)) {
    if (role === "&" ? selfRoles.includes(id) : id === self) return "me";
    if (role !== "&" && siblings.has(id)) return "other";
  }
  return null;
}

const nameAtStart = /^\s*@?(CLAWDINATOR-[1-9][0-9]{0,3})(?![A-Za-z0-9_-])[,:]?\s*/i;

function startingName(text: string): string | null {
  return nameAtStart.exec(text)?.[1]?.toUpperCase() ?? null;
}

export interface Words {
  /** The author's own words, without the mention of this bot. */
  own: string;
  /** Lines that the author quoted; empty where there are none. */
  quoted: string;
}

/** `nameOf` names roles and channels; null where they are not known. */
export function wordsOf(
  message: Pick<SeenMessage, "content" | "mentions">,
  options: Names & { nameOf(kind: "role" | "channel", id: string): string | null },
): Words {
  const { self, selfRoles } = options;
  const people = new Map((message.mentions ?? []).map((user) => [user.id, displayName(user)]));
  const readable = (text: string): string =>
    text
      .replace(/<@(!|&)?([0-9]{5,20})>/g, (_, kind: string | undefined, id: string) => {
        if (kind === "&") return selfRoles.includes(id) ? "" : `@${options.nameOf("role", id) ?? "a role"}`;
        return id === self ? "" : `@${people.get(id) ?? "somebody"}`;
      })
      .replace(/<#([0-9]{5,20})>/g, (_, id: string) => `#${options.nameOf("channel", id) ?? "a channel"}`)
      .replace(/<a?(:[A-Za-z0-9_]{1,40}:)[0-9]{5,20}>/g, "$1")
      .replace(/<(\/[^:>\n]{1,100}):[0-9]{5,20}>/g, "$1")
      .replace(/<t:(-?[0-9]{1,12})(?::[A-Za-z])?>/g, (_, seconds: string) => timeText(Number(seconds)));
  const { own, quoted } = partsOf(message.content);
  const named = startingName(own) === options.name ? own.replace(nameAtStart, "") : own;
  const spoken = readable(named).replace(/^[ \t]*[,:][ \t]*/, "");
  return { own: tidy(spoken), quoted: tidy(readable(quoted)) };
}

/** Lines that begin with `>` are quoted, and from one that begins with `>>>` on everything is. */
function partsOf(content: string): Words {
  const own: string[] = [];
  const quoted: string[] = [];
  let isRest = false;
  for (const line of content.split("\n")) {
    const mark = /^\s*(>>>|>)/.exec(line)?.[1];
    if (mark === ">>>") isRest = true;
    if (isRest || mark) quoted.push(line.replace(/^\s*>{1,3} ?/, ""));
    else own.push(line);
  }
  return { own: own.join("\n"), quoted: quoted.join("\n") };
}

function tidy(text: string): string {
  return withoutTricks(text)
    .replace(/[ \t]{2,}/g, " ")
    .replace(/^[ \t]+|[ \t]+$/gm, "")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

/** Without what changes how text looks: control characters and marks of writing direction. */
export function withoutTricks(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out.
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "");
}

/** A name on one line; it is chosen by whoever bears it. */
export function displayName(user: Pick<APIUser, "username" | "global_name">): string {
  const name = withoutTricks(user.global_name || user.username).replace(/[\n>`*_~|@#]/g, " ");
  return name.replace(/\s+/g, " ").trim().slice(0, 40) || "somebody";
}

function timeText(seconds: number): string {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? "some time" : `${time.toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
