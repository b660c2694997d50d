/** The kinds of records that are judged one by one. How long each is kept stands where it is defined. */

import { heartbeatKeptMs } from "../../../tools/fleet/heartbeats.ts";
import type { NameRecord } from "../../../tools/fleet/services.ts";
import type { Json } from "../../../tools/json.ts";
import { onceKeptMs } from "../audit.ts";
import { cursorKeptMs } from "../channels/discord/listen/cursor.ts";
import { takenKeptMs } from "../channels/discord/listen/unaddressed.ts";
import { postKeptMs } from "../channels/discord/speak/post-record.ts";
import { type Claim, claimKeptMs } from "../inbox.ts";
import { sessionKeptMs } from "../maintainers.ts";
import { timeOfKey } from "./key-time.ts";
import type { Judgement, Kind } from "./sweep.ts";

/** What is live, as it was read before. */
export interface Living {
  now: number;
  /** Ids of approvals and operations. */
  decisions: ReadonlySet<string>;
  /** Runs of the schedule that are under way. */
  runs: ReadonlySet<string>;
  /** `<name>/<message>` of answers that are on their way to Discord. */
  deliveries: ReadonlySet<string>;
  names: ReadonlyMap<string, NameRecord>;
  /** When a name was last heard of; absent: not known. */
  lastSeen: ReadonlyMap<string, number>;
}

export function kindsFor(living: Living): Kind[] {
  const { now } = living;
  /** By the key alone; what does not tell must be read. */
  const mayBeOlder =
    (keptMs: number) =>
    (key: string): boolean =>
      now - (timeOfKey(key) ?? 0) > keptMs;
  const older = (at: unknown, keptMs: number): Judgement =>
    typeof at === "number" && now - at > keptMs ? "remove" : "keep";

  return [
    {
      name: "answers",
      prefix: "inbox/",
      mayBePast: mayBeOlder(claimKeptMs),
      judge(value, key) {
        const claim = value as unknown as Claim;
        if (claim.formatVersion !== 1 || claim.state !== "answered" || living.runs.has(claim.message)) return "keep";
        const at = claim.answeredAt ?? timeOfKey(key);
        // One of an earlier version does not tell when that was: it counts from today.
        return at === null ? { stamp: { ...claim, answeredAt: now } as unknown as Json } : older(at, claimKeptMs);
      },
    },
    {
      name: "posts",
      prefix: "discord/posts/",
      mayBePast: (key) => mayBeOlder(postKeptMs)(key) && !namesAny(key, living.decisions) && !isDelivered(key),
      judge: (value) => older((value as { at?: unknown } | null)?.at, postKeptMs),
    },
    {
      name: "requests to nobody",
      prefix: "discord/unaddressed/",
      mayBePast: mayBeOlder(takenKeptMs),
      judge: (value) => older((value as { at?: unknown } | null)?.at, takenKeptMs),
    },
    {
      name: "cursors",
      prefix: "discord/cursors/",
      mayBePast(key) {
        const name = key.split("/")[2] ?? "";
        const lastSeen = living.lastSeen.get(name);
        return living.names.get(name)?.holder === null && lastSeen !== undefined && now - lastSeen > cursorKeptMs;
      },
      judge: () => "remove",
    },
    {
      name: "heartbeats",
      prefix: "names/",
      mayBePast(key) {
        const [, name = "", epoch] = key.split("/");
        const record = living.names.get(name);
        return record !== undefined && epoch !== undefined && Number(epoch) < record.epoch;
      },
      judge(value) {
        const { at, requestedAt } = value as { at?: unknown; requestedAt?: unknown };
        return older(at ?? requestedAt, heartbeatKeptMs);
      },
    },
    {
      name: "candidates",
      prefix: "candidates/",
      judge: (value) => older((value as { at?: unknown } | null)?.at, heartbeatKeptMs),
    },
    {
      name: "sessions",
      prefix: "sessions/",
      judge: (value) => older((value as { expiresAt?: unknown } | null)?.expiresAt, sessionKeptMs),
    },
    {
      name: "told once",
      prefix: "audit-once/",
      mayBePast: (key) => !namesAny(key, living.decisions),
      judge: (value) => older((value as { at?: unknown } | null)?.at, onceKeptMs),
    },
  ];

  function isDelivered(key: string): boolean {
    const [, , name, post = ""] = key.split("/");
    return living.deliveries.has(`${name}/${post.replace(/\.[0-9]+$/, "")}`);
  }
}

/** Whether the key names an approval or an operation that is there. */
function namesAny(key: string, there: ReadonlySet<string>): boolean {
  return [...key.matchAll(/(?:ap|op)-[0-9a-f]{12}/g)].some(([id]) => there.has(id));
}
