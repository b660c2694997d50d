/** What a model may spend, as the mind sees it: the gateway keeps the ledger and decides. */
import type { ModelIdentity, Purpose, Usage } from "../../protocol.ts";
import type { ModelFailure } from "./model.ts";

export interface SpendRequest {
  run: string | null;
  purpose: Purpose;
  model: ModelIdentity;
  /** What it is expected to use: charged when its end is never told. */
  estimate: Usage;
}

export interface Spend {
  /** Asked before each request to a model that can cost money. A refusal is final for its period: it is not asked again. */
  begin(request: SpendRequest): Promise<{ allowed: true; request: string } | { allowed: false; failure: ModelFailure }>;
  /** Told once the request has ended, however it ended; resolves with its cost in US dollars. Safe to call once only. */
  end(request: string, usage: Usage | null): Promise<number>;
}
