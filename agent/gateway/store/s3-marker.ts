/**
 * S3 tells nobody of changes. Whoever has written something others wait for touches one marker object after it, and
 * whoever watches asks for the marker, if it has changed, every few seconds: one cheap request however much there is.
 *
 * A touch replaces exactly the marker that this process has seen. So it knows that nobody else touched it in between,
 * and need not look again because of itself.
 */
import { randomBytes } from "node:crypto";
import type { S3Objects } from "./s3-objects.ts";

/** Many writes within this time are told of together. */
const touchEveryMs = 1_000;

/** Others touch it at the same time; after so many times it is overwritten without a look. */
const touchAttempts = 5;

export interface S3Marker {
  /** Soon, and not more often than once a second. */
  touch(): void;
  /** Others' touches. The first look counts as one: what came before it is not known. */
  watch(onTouched: () => void): () => void;
  /** Asks S3 once. */
  look(): Promise<void>;
  /** Returns when what was to be told is told. */
  close(): Promise<void>;
}

export function createS3Marker(options: { objects: S3Objects; name: string; pollMs: number }): S3Marker {
  const { objects, name, pollMs } = options;
  const listeners = new Set<() => void>();
  /** The marker this process knows; null: there is none; undefined: never looked. */
  let seen: string | null | undefined;
  let pollTimer: NodeJS.Timeout | null = null;
  let isWanted = false;
  let isClosed = false;
  let touching: Promise<void> | null = null;
  let endPause = (): void => {};

  const look = async (): Promise<void> => {
    const found = await objects.readIfChanged(name, seen ?? null);
    if (found === "unchanged") return;
    const etag = found?.etag ?? null;
    if (etag === seen) return;
    seen = etag;
    for (const listener of listeners) listener();
  };

  const touchOnce = async (): Promise<void> => {
    for (let attempt = 1; attempt <= touchAttempts && seen !== undefined; attempt++) {
      const expected = seen;
      const body = randomBytes(9).toString("base64url");
      const etag = await objects.write(name, body, expected === null ? { ifAbsent: true } : { ifEtag: expected });
      if (etag === null) {
        await look();
        continue;
      }
      // A look that was under way may have seen a later one.
      if (seen === expected) seen = etag;
      return;
    }
    await objects.write(name, randomBytes(9).toString("base64url"), null);
  };

  const run = async (): Promise<void> => {
    while (isWanted) {
      isWanted = false;
      // One that fails is made up for by the next, and by readers' own bounds; the write itself is done.
      await touchOnce().catch(() => {});
      if (isClosed) continue;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, touchEveryMs);
        timer.unref();
        endPause = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };

  const poll = (): void => {
    pollTimer = setTimeout(() => {
      look()
        .catch(() => {})
        .finally(() => {
          if (listeners.size > 0 && !isClosed) poll();
          else pollTimer = null;
        });
    }, pollMs);
    pollTimer.unref();
  };

  return {
    touch() {
      isWanted = true;
      touching ??= run().finally(() => {
        touching = null;
      });
    },

    look,

    watch(onTouched) {
      listeners.add(onTouched);
      if (!pollTimer) {
        // Whoever has looked before hears at the next look of what came since.
        if (seen === undefined) look().catch(() => {});
        poll();
      }
      return () => void listeners.delete(onTouched);
    },

    async close() {
      isClosed = true;
      listeners.clear();
      if (pollTimer) clearTimeout(pollTimer);
      endPause();
      await touching;
    },
  };
}
