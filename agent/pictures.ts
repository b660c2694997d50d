/**
 * Whether a picture is posted, and which. Pure: the same conversation, wish and time give the same answer, so a run that
 * is made again after a crash posts the same picture, or none again.
 */
import { createHash } from "node:crypto";
import type { Mood, Occasion } from "../tools/picture-occasions.ts";
import type { Picture } from "./pictures/catalogue.ts";
import { asksForPicture, isTenseMoment, pictureSwitchOf } from "./pictures/words.ts";
import type { ConversationEntry } from "./protocol.ts";

export type PictureMode = "off" | "seldom" | "often";

export interface PictureWish {
  /** The message that it would stand below: the choice is derived from its id. */
  message: string;
  occasion: Occasion | null;
  mood?: Mood | null;
  /** Milliseconds since 1970. */
  at: number;
  /** The moment is no joke, whatever the conversation says: only a picture that is marked as fitting may be posted. */
  isSerious?: boolean;
}

export type PictureChoice = { picture: Picture } | { none: PictureRefusal };
export type PictureRefusal = "off" | "unwanted" | "serious" | "too_soon" | "enough_today" | "flood" | "no_match";

interface Limits {
  /** Messages and notices since the last picture. */
  messagesBetween: number;
  minutesBetween: number;
  perDay: number;
}

/** Chosen so that a busy day of one conversation has a handful, and two never stand close together. */
const limits: Record<Exclude<PictureMode, "off">, Limits> = {
  seldom: { messagesBetween: 6, minutesBetween: 20, perDay: 6 },
  often: { messagesBetween: 3, minutesBetween: 5, perDay: 20 },
};

/** Whoever asks gets one, but nobody can fill a channel with them. */
const flood = { pictures: 5, minutes: 10 };

const notAgainWithin = 10;
const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** Messages of people that are looked at for the tone of the moment. */
const toneOf = 3;

/**
 * `entries`: the whole conversation, oldest first; those of the wish's own message count for what a person asks in it,
 * and not as messages since the last picture. A person who asks for a picture is answered even where they are off in
 * the conversation; only the configuration's `off` is final.
 */
export function choosePicture(options: {
  entries: readonly ConversationEntry[];
  wish: PictureWish;
  mode: PictureMode;
  pictures: readonly Picture[];
}): PictureChoice {
  const { entries, wish, mode } = options;
  if (mode === "off") return { none: "off" };
  const posted = entries.filter((entry) => entry.body.role === "picture" && entry.message !== wish.message);
  const question = entries.find((entry) => entry.message === wish.message && entry.body.role === "user");
  const isAsked = question !== undefined && asksForPicture(textOf(question));
  const isSerious = wish.isSerious === true || isTense(entries);
  if (isAsked) {
    const recent = posted.filter(({ at }) => wish.at - at < flood.minutes * minuteMs);
    if (recent.length >= flood.pictures) return { none: "flood" };
  } else {
    const said = lastSwitch(entries);
    if (said === "off") return { none: "unwanted" };
    if (isSerious && wish.isSerious !== true) return { none: "serious" };
    const reason = tooMuch({ entries, posted, wish, limits: limits[said === "on" ? "often" : mode] });
    if (reason !== null) return { none: reason };
  }
  const picture = pick({ ...options, posted, isAsked, isSerious });
  return picture === null ? { none: "no_match" } : { picture };
}

function tooMuch(options: {
  entries: readonly ConversationEntry[];
  posted: readonly ConversationEntry[];
  wish: PictureWish;
  limits: Limits;
}): PictureRefusal | null {
  const { entries, posted, wish } = options;
  const last = posted.at(-1);
  if (last === undefined) return null;
  const since = entries.slice(entries.lastIndexOf(last) + 1);
  const messages = new Set(since.flatMap(({ message }) => (message === last.message ? [] : [message])));
  messages.delete(wish.message);
  if (messages.size < options.limits.messagesBetween) return "too_soon";
  if (wish.at - last.at < options.limits.minutesBetween * minuteMs) return "too_soon";
  return posted.filter(({ at }) => wish.at - at < dayMs).length >= options.limits.perDay ? "enough_today" : null;
}

function pick(options: {
  wish: PictureWish;
  pictures: readonly Picture[];
  posted: readonly ConversationEntry[];
  isAsked: boolean;
  isSerious: boolean;
}): Picture | null {
  const { wish } = options;
  const fitting = options.pictures.filter((picture) => !options.isSerious || picture.serious);
  const byOccasion = fitting.filter(({ occasions }) => wish.occasion !== null && occasions.includes(wish.occasion));
  const byMood = fitting.filter(({ moods }) => wish.mood && moods.includes(wish.mood));
  const both = byOccasion.filter((picture) => byMood.includes(picture));
  const wanted = [both, byOccasion, byMood].find((found) => found.length > 0) ?? (options.isAsked ? fitting : []);
  const shown = options.posted.slice(-notAgainWithin).map(({ body }) => (body.role === "picture" ? body.picture : ""));
  const fresh = wanted.filter(({ id }) => !shown.includes(id));
  // Who asks for one and has seen all of its kind gets another kind.
  const other = options.isAsked ? fitting.filter(({ id }) => !shown.includes(id)) : [];
  const candidates = fresh.length > 0 ? fresh : other;
  return candidates[numberOf(wish.message) % candidates.length] ?? null;
}

function numberOf(message: string): number {
  return createHash("sha256").update(message).digest().readUInt32BE(0);
}

/** What a person last said about pictures; null when nobody did. */
function lastSwitch(entries: readonly ConversationEntry[]): "on" | "off" | null {
  for (const entry of entries.toReversed()) {
    const said = isPersons(entry) ? pictureSwitchOf(textOf(entry)) : null;
    if (said !== null) return said;
  }
  return null;
}

/** People are annoyed or speak of trouble, or a plan waits for their decision. */
function isTense(entries: readonly ConversationEntry[]): boolean {
  const people = entries.filter(isPersons).slice(-toneOf);
  if (people.some((entry) => isTenseMoment(textOf(entry)))) return true;
  const proposed = entries.findLastIndex(waits);
  // A notice tells how an operation ended; the wish's own notice is one.
  return proposed >= 0 && !entries.slice(proposed + 1).some((entry) => entry.body.role === "notice");
}

function waits({ body }: ConversationEntry): boolean {
  if (body.role !== "tool") return false;
  const data = body.data as { proposal?: { state?: unknown } } | null | undefined;
  return data?.proposal?.state === "pending";
}

function isPersons({ body }: ConversationEntry): boolean {
  return body.role === "user" && body.author.kind === "maintainer";
}

function textOf({ body }: ConversationEntry): string {
  return body.role === "user" ? body.text : "";
}
