/** How values read: short, the same everywhere, with units. */

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** `820 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function duration(ms: number): string {
  if (ms < secondMs) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * secondMs) return `${(ms / secondMs).toFixed(1)} s`;
  return wholeDuration(ms);
}

/** As `duration`, but without fractions of a second: for values that tick. */
export function wholeDuration(ms: number): string {
  const pair = (large: number, largeUnit: string, small: number, smallUnit: string): string =>
    small ? `${large} ${largeUnit} ${small} ${smallUnit}` : `${large} ${largeUnit}`;
  if (ms < minuteMs) return `${Math.max(0, Math.floor(ms / secondMs))} s`;
  if (ms < hourMs) return pair(Math.floor(ms / minuteMs), "min", Math.floor((ms % minuteMs) / secondMs), "s");
  if (ms < dayMs) return pair(Math.floor(ms / hourMs), "h", Math.floor((ms % hourMs) / minuteMs), "min");
  return pair(Math.floor(ms / dayMs), "d", Math.floor((ms % dayMs) / hourMs), "h");
}

/** `14:03:09` today, with the date before it on other days. */
export function clockTime(at: number): string {
  const date = new Date(at);
  const time = date.toLocaleTimeString(undefined, { hour12: false });
  return date.toDateString() === new Date().toDateString() ? time : `${isoDay(date)} ${time}`;
}

function isoDay(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** `just now`, `5 min ago`, `3 h ago`, then the day. */
export function timeAgo(at: number, now: number): string {
  const ageMs = now - at;
  if (ageMs < minuteMs) return "just now";
  if (ageMs < hourMs) return `${Math.floor(ageMs / minuteMs)} min ago`;
  if (ageMs < dayMs) return `${Math.floor(ageMs / hourMs)} h ago`;
  return isoDay(new Date(at));
}

/** `free`, `$0.12`, `$31.40`. */
function dollars(usd: number): string {
  if (usd === 0) return "free";
  return usd < 0.01 ? `$${usd.toPrecision(1)}` : `$${usd.toFixed(2)}`;
}

/** `free`, `$0.05 once`, `$0.05 once, then $31.40 a month`. */
export function cost(value: { onceUsd: number; monthlyUsd: number }): string {
  if (value.onceUsd === 0 && value.monthlyUsd === 0) return "free";
  const parts = [];
  if (value.onceUsd > 0) parts.push(`${dollars(value.onceUsd)} once`);
  if (value.monthlyUsd > 0) parts.push(`${dollars(value.monthlyUsd)} a month`);
  return parts.join(", then ");
}

/** The first 10 digits of a commit id; other names stay as they are. */
export function shortRevision(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 10) : revision;
}

/** `wrong_revision` → `wrong revision`. */
export function words(name: string): string {
  return name.replaceAll("_", " ");
}

/** `1 vote`, `2 votes`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? "" : "s"}`;
}

/** `312 B`, `4.2 kB`, `1.0 MB`. */
export function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
