/** What the gateway knows of spending, and how it is asked. */
import type { CostBreaker } from "../../../tools/cost-report.ts";
import type { PolicyInForce } from "../../../tools/policy-pin.ts";
import type { Store } from "../../../tools/store.ts";
import type { Log } from "../../log.ts";
import type { Author, RunEvent, SpendBegin, SpendBeginAnswer, SpendEnd } from "../../protocol.ts";
import type { AuditLog } from "../audit.ts";
import type { Breaker } from "./breaker.ts";
import type { ConversationKind } from "./day-record.ts";
import type { FleetDays } from "./fleet-days.ts";
import type { Ledger } from "./ledger.ts";
import type { PriceOf } from "./prices.ts";
import type { SpendTotals } from "./totals.ts";

/** What is known of a run by whoever delivered it to the mind. */
export interface RunAbout {
  message: string;
  conversation: string;
  kind: "chat" | "notice";
  author: Author;
}

export interface SpendOptions {
  store: Store;
  audit: AuditLog;
  policy(): Promise<PolicyInForce>;
  instance: string;
  name: string;
  priceOf: PriceOf;
  log: Log;
  /** Milliseconds since 1970. */
  clock?: () => number;
}

export interface Spend {
  /** Null: there is no such run here. */
  begin(request: SpendBegin, about: RunAbout | null): Promise<SpendBeginAnswer | null>;
  /** Null: there is no such request; a mind that began it can say what it was (`begun`). */
  end(request: SpendEnd, about?: RunAbout | null): Promise<number | null>;
  /** A mind said hello: what another one began will never be ended. */
  onMind(pid: number): void;
  /** What a run did, by which its progress and its end are known. */
  onEvent(about: { conversation: string; message: string }, event: RunEvent): void;
  reset(by: { id: string; name: string }, surface: string): Promise<CostBreaker[]>;
  /** Since this process began, for metrics. */
  totals(): SpendTotals;
  state(): { ledger: Ledger; breaker: Breaker; fleet: FleetDays };
  load(): Promise<void>;
  stop(): Promise<void>;
}

export function conversationOf(about: RunAbout | null): ConversationKind {
  if (about === null) return "none";
  if (about.kind === "notice") return "notice";
  return about.author.kind === "schedule" ? "schedule" : "chat";
}

/** Whoever asks by itself, and would ask again. */
export function jobOf({ author }: RunAbout): string {
  return `${author.kind}:${author.id}`;
}
