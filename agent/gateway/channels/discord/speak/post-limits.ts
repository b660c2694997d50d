/** Which of Discord's limits REST waits for, and which are waited for by whoever posts, so that others go on meanwhile. */
import type { RateLimitData } from "discord.js";

const shortLimitMs = 2_000;

/** For `rejectOnRateLimit` of discord.js's REST. Of the routes that `post.ts` alone uses; others wait as they always do. */
export function isLongPostLimit(data: RateLimitData): boolean {
  const { method, route, retryAfter, timeToReset, sublimitTimeout } = data;
  if (method.toUpperCase() === "GET" || !/^\/channels\/:id\/(?:messages(?:\/:id)?|typing)$/.test(route)) return false;
  return Math.max(retryAfter, timeToReset, sublimitTimeout) > shortLimitMs;
}
