/** The audit log: one immutable record per event in the store, in the order of the store's clock. */
import { randomBytes } from "node:crypto";
import type { Json } from "../../tools/json.ts";
import type { Store } from "../../tools/store.ts";
import type { AuditEntry } from "../protocol.ts";

/**
 * How long it is known that an event with a name was told: longer than anyone tells one again after a crash. Those of
 * approvals and operations stay as long as these do. The entries themselves stay for good.
 */
export const onceKeptMs = 90 * 24 * 3600 * 1000;

export interface AuditLog {
  /**
   * Returns when the entry is durable. `once` names the event: told again after a crash, it is still one entry, so that
   * an event can be told before the write that makes it final.
   */
  write(entry: Omit<AuditEntry, "id" | "at">, options?: { once?: string }): Promise<AuditEntry>;
  /** Newest first. `subject` narrows to what one approval, operation or name went through. */
  list(options: { limit: number; subject?: string }): Promise<AuditEntry[]>;
}

/**
 * Keys begin with the time in 15 digits. The first so many of them span the last eleven days; who asks for the newest
 * entries, as nearly everyone does, then needs no list of years.
 */
const spanDigits = 6;

/** The log is never shortened, so its keys are listed in spans of time: the last two, and all before only if needed. */
async function* newestFirst(store: Store): AsyncGenerator<string> {
  const seen = new Set<string>();
  const span = Number(
    String(await store.now())
      .padStart(15, "0")
      .slice(0, spanDigits),
  );
  // Clocks differ: what another instance wrote may lie a moment ahead.
  const spans = [span + 1, span, span - 1].map((one) => `audit/${String(one).padStart(spanDigits, "0")}`);
  for (const prefix of [...spans, "audit/"]) {
    for (const { key } of (await store.list(prefix)).reverse()) {
      if (seen.has(key)) continue;
      seen.add(key);
      yield key;
    }
  }
}

export function createAuditLog(store: Store): AuditLog {
  let last = 0;
  let sequence = 0;

  return {
    async write(entry, { once } = {}) {
      const at = await store.now();
      sequence = at === last ? sequence + 1 : 0;
      last = at;
      // Milliseconds in 15 digits sort by time, the counter sorts this writer's entries of one millisecond, and the
      // random part keeps writers apart.
      const id = [String(at).padStart(15, "0"), String(sequence).padStart(4, "0"), randomBytes(5).toString("hex")].join(
        "-",
      );
      let full: AuditEntry = { id, at, ...entry };
      if (once) {
        const first = await store.put(`audit-once/${once}`, full as unknown as Json, { ifAbsent: true });
        if (!first.written && first.current) full = first.current.value as unknown as AuditEntry;
      }
      await store.put(`audit/${full.id}`, full as unknown as Json, { ifAbsent: true });
      return full;
    },

    async list({ limit, subject }) {
      const found: AuditEntry[] = [];
      for await (const key of newestFirst(store)) {
        if (found.length >= limit) break;
        const entry = (await store.get(key))?.value as unknown as AuditEntry | undefined;
        if (entry && (!subject || entry.subject === subject || entry.subject.startsWith(`${subject}/`)))
          found.push(entry);
      }
      return found;
    },
  };
}
