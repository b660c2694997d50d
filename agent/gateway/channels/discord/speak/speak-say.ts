/** One message for each key, edited when it is said again. Said faster than it can be shown, the newest is shown. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Place } from "../contract.ts";
import { pictureFile } from "./files.ts";
import type { Poster, Shown } from "./post.ts";
import type { Post } from "./post-record.ts";
import { headOf, longestContent, splitText } from "./split.ts";

/** Between two edits of one message. */
const editEveryMs = 1_000;

export interface Saying {
  key: string;
  place: Place;
  text: string;
  picture?: string;
}

export interface Sayer {
  /** Resolves when it, or something newer under its key, is there or cannot be. */
  say(saying: Saying): Promise<Shown | null>;
}

export function createSayer({ poster, signal }: { poster: Poster; signal: AbortSignal }): Sayer {
  const wanted = new Map<string, Saying>();
  const busy = new Map<string, Promise<Shown | null>>();

  const show = async (key: string): Promise<Shown | null> => {
    for (;;) {
      const saying = wanted.get(key);
      if (!saying) return null;
      const post = await postOf(saying);
      const shown = await poster.show(saying.place.channel, () => (post ? [post] : null));
      if (wanted.get(key) === saying) {
        wanted.delete(key);
        return shown;
      }
      await sleep(editEveryMs, undefined, { signal });
    }
  };

  return {
    say(saying) {
      wanted.set(saying.key, saying);
      const running = busy.get(saying.key);
      if (running) return running;
      const work = show(saying.key).finally(() => {
        busy.delete(saying.key);
        wanted.delete(saying.key);
      });
      busy.set(saying.key, work);
      return work;
    },
  };
}

/** Under which key of a post something is said. */
export function sayingKey(key: string): string {
  return `say-${key.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, 150)}`;
}

async function postOf({ key, place, text, picture }: Saying): Promise<Post | null> {
  const parts = splitText(text);
  const content = parts.length > 1 ? `${headOf(text, longestContent - 10)}\n-# …` : (parts[0] ?? "");
  const file = picture === undefined ? null : await pictureFile({ picture, alt: "" });
  if (content === "" && !file) return null;
  return {
    key: sayingKey(key),
    channel: place.channel,
    replyTo: place.replyTo,
    content,
    ...(file ? { files: [file] } : {}),
  };
}
