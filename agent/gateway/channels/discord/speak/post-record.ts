/** What the store knows of a message of ours: `discord/posts/<name>/<key>`, written before anything is sent. */
import { createHash } from "node:crypto";
import type { APIMessageTopLevelComponent } from "discord.js";
import type { Json } from "../../../../../tools/json.ts";
import { type Store, update } from "../../../../../tools/store.ts";
import { claimKeptMs } from "../../../inbox.ts";

export interface PostFile {
  name: string;
  data: Uint8Array;
  contentType: string;
  /** Told to those who cannot see it. */
  description: string;
}

/** A message as it shall be. Its content has been through `splitText`. */
export interface Post {
  /** Names the message for good: shown again under the same key, it is edited. */
  key: string;
  channel: string;
  replyTo: string | null;
  content: string;
  files?: readonly PostFile[];
  /** Buttons below it. Absent: as they are. */
  components?: readonly APIMessageTopLevelComponent[];
  /** More follows soon: when it cannot be shown now, it is left out. */
  isDraft?: boolean;
}

export interface PostRecord {
  formatVersion: 1;
  channel: string;
  replyTo: string | null;
  /** The newest message there when this one was planned: it comes after it. Null when none was known. */
  after: string | null;
  /** Discord's id of the message; null until one is known to be there. */
  message: string | null;
  /** Marks of what was sent or about to be, newest last: by these it is recognized when its answer was lost. */
  tried: string[];
  /** Mark of what it surely shows; null when that is not known. */
  shows: string | null;
  /** Somebody deleted it. */
  isGone: boolean;
  /** It begins an answer of which every part is there. */
  isComplete: boolean;
  at: number;
}

/** As long as an answer is known in the inbox: after that nobody edits what was said, or asks whether it was. */
export const postKeptMs = claimKeptMs;

/** Attempts with another text than the one before; the newest ones are the ones to look for. */
const triedKept = 6;

export interface PostRecords {
  read(key: string): Promise<PostRecord | null>;
  /** The record with `mark` among what was tried. `isNew`: nothing can have been sent for it yet. */
  begin(post: Post, options: { mark: string; after: string | null }): Promise<{ record: PostRecord; isNew: boolean }>;
  change(key: string, change: Partial<PostRecord>): Promise<PostRecord | null>;
}

export function createPostRecords({ store, name }: { store: Store; name: string }): PostRecords {
  const keyOf = (key: string): string => `discord/posts/${name}/${key}`;
  return {
    async read(key) {
      return ((await store.get(keyOf(key)))?.value ?? null) as PostRecord | null;
    },

    async begin(post, { mark, after }) {
      const now = await store.now();
      let isNew = false;
      const { value } = await update<Json>(store, keyOf(post.key), (current) => {
        const known = current as unknown as PostRecord | null;
        isNew = known === null;
        if (known && (known.message !== null || known.tried.includes(mark))) return undefined;
        const record: PostRecord = known
          ? { ...known, tried: [...known.tried, mark].slice(-triedKept) }
          : {
              formatVersion: 1,
              channel: post.channel,
              replyTo: post.replyTo,
              after,
              message: null,
              tried: [mark],
              shows: null,
              isGone: false,
              isComplete: false,
              at: now,
            };
        return record as unknown as Json;
      });
      return { record: value as unknown as PostRecord, isNew };
    },

    async change(key, change) {
      const { value } = await update<Json>(store, keyOf(key), (current) =>
        current === null ? undefined : ({ ...(current as object), ...change } as unknown as Json),
      );
      return value as unknown as PostRecord | null;
    },
  };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

/** At most 25 characters; the same for the same message of the same bot, whoever sends it. */
export function nonceOf(name: string, key: string): string {
  return sha256(`${name}/${key}`).slice(0, 24);
}

/** The same for what was sent and for what history shows of it: Discord trims, and may put blanks and letters otherwise. */
export function markOf(content: string, fileNames: readonly string[]): string {
  return sha256(JSON.stringify([content.normalize("NFC").replace(/\s+/g, " ").trim(), fileNames])).slice(0, 24);
}

/** Of all that a message shows: history gives its buttons back in another form. */
export function wholeMarkOf(post: Pick<Post, "content" | "files" | "components">): string {
  const mark = markOfPost(post);
  return post.components === undefined ? mark : `${mark}.${sha256(JSON.stringify(post.components)).slice(0, 12)}`;
}

export function markOfPost({ content, files = [] }: Pick<Post, "content" | "files">): string {
  return markOf(
    content,
    files.map(({ name }) => name),
  );
}
