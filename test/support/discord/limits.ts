/** Rate limits as Discord answers them: one bucket a route and channel, and 50 requests a second for each bot. */
import { createHash } from "node:crypto";
import type { Json } from "./world.ts";

export interface Bucket {
  limit: number;
  perMs: number;
}

export interface Verdict {
  headers: Record<string, string>;
  refusal: Json | null;
}

const globalPerSecond = 50;

export function makeLimits(now: () => number) {
  const used = new Map<string, { count: number; resetAt: number }>();
  const overall = new Map<string, { count: number; resetAt: number }>();
  /** Refuses a route whatever was used; by route, with when it ends by this machine's clock. */
  const forced = new Map<string, number>();

  function take(counters: typeof used, key: string, { limit, perMs }: Bucket) {
    const at = Date.now();
    let one = counters.get(key);
    if (!one || one.resetAt <= at) {
      one = { count: 0, resetAt: at + perMs };
      counters.set(key, one);
    }
    const isOver = one.count >= limit;
    if (!isOver) one.count += 1;
    return { isOver, remaining: limit - one.count, resetAfterMs: Math.max(1, one.resetAt - at) };
  }

  return {
    force(route: string, seconds: number): void {
      forced.set(route, Date.now() + seconds * 1000);
    },

    ask(options: { bot: string; route: string; major: string; bucket: Bucket; isExempt: boolean }): Verdict {
      const { bot, route, major, bucket } = options;
      const refuse = (
        retryAfterMs: number,
        scope: "user" | "global" | "shared",
        headers: Record<string, string> = {},
      ) => ({
        headers: {
          ...headers,
          "retry-after": String(Math.ceil(retryAfterMs / 1000)),
          "x-ratelimit-scope": scope,
          ...(scope === "global" ? { "x-ratelimit-global": "true" } : {}),
          via: "1.1 google",
        },
        refusal: {
          message: "You are being rate limited.",
          retry_after: Math.round(retryAfterMs) / 1000,
          global: scope === "global",
        },
      });
      const until = forced.get(route) ?? 0;
      if (until > Date.now()) {
        const leftMs = until - Date.now();
        return refuse(leftMs, "user", headersOf({ ...bucket, remaining: 0, resetAfterMs: leftMs, route, now }));
      }
      if (!options.isExempt) {
        const all = take(overall, bot, { limit: globalPerSecond, perMs: 1000 });
        if (all.isOver) return refuse(all.resetAfterMs, "global");
      }
      const one = take(used, `${bot} ${route} ${major}`, bucket);
      const headers = headersOf({ ...bucket, ...one, route, now });
      return one.isOver ? refuse(one.resetAfterMs, "user", headers) : { headers, refusal: null };
    },
  };
}

function headersOf(options: {
  limit: number;
  remaining: number;
  resetAfterMs: number;
  route: string;
  now: () => number;
}): Record<string, string> {
  return {
    "x-ratelimit-limit": String(options.limit),
    "x-ratelimit-remaining": String(options.remaining),
    "x-ratelimit-reset": ((options.now() + options.resetAfterMs) / 1000).toFixed(3),
    "x-ratelimit-reset-after": (options.resetAfterMs / 1000).toFixed(3),
    "x-ratelimit-bucket": createHash("sha1").update(options.route).digest("hex").slice(0, 32),
  };
}
