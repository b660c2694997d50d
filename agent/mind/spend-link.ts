/**
 * The mind's side of the ledger: asks the gateway before each request to a model and tells it afterwards what was used.
 * No answer means no request: nothing is ever spent unmetered.
 */
import { randomBytes } from "node:crypto";
import {
  type SpendBegin,
  type SpendEnd,
  spendBeginAnswerSchema,
  spendEndAnswerSchema,
  type Usage,
} from "../protocol.ts";
import type { Answer, Link } from "./link.ts";
import type { ModelFailure } from "./models/model.ts";
import type { Spend } from "./models/spend.ts";

export interface SpendLinkOptions {
  /** Tries again over a lost gateway; both requests are safe to repeat. */
  call: Link["call"];
  /** The gateway does not know the run: it is delivered again where it belongs. */
  onUnknownRun?(run: string): void;
  /** A mind without a gateway parks its runs after 60 s and ends; only when that did not happen is a request given up. */
  giveUpMs?: number;
  /** An answer is not held back for its price: after so long `end` says 0 and goes on telling in the background. */
  priceWaitMs?: number;
}

export function makeSpend({ call, onUnknownRun, giveUpMs = 90_000, priceWaitMs = 2_000 }: SpendLinkOptions): Spend {
  // Unique for this process: the gateway takes the same id for the same request.
  const process = randomBytes(9).toString("base64url");
  let requests = 0;
  const begun = new Map<string, Omit<SpendBegin, "request">>();

  /** A gateway that died may have allowed it without having stored that: the next one is told what it was. */
  async function tellEnd(end: SpendEnd): Promise<Answer> {
    const answer = await call("POST", "/spend/end", end);
    const what = begun.get(end.request);
    begun.delete(end.request);
    return answer.status === 404 && what ? call("POST", "/spend/end", { ...end, begun: what }) : answer;
  }

  return {
    async begin({ run, purpose, model, estimate }) {
      requests += 1;
      const request = `${process}-${requests}`;
      const what = { run, purpose, model, estimate };
      const body: SpendBegin = { request, ...what };
      const answer = await inTime(giveUpMs, call("POST", "/spend/begin", body)).catch(() => null);
      if (answer?.status !== 200) {
        // It may have been taken down although nobody heard the answer: it is closed as soon as that can be told.
        if (!answer) void call("POST", "/spend/end", { request, usage: null } satisfies SpendEnd).catch(() => {});
        if (answer?.status === 404 && run !== null) onUnknownRun?.(run);
        return { allowed: false, failure: unanswered(answer) };
      }
      const parsed = spendBeginAnswerSchema.safeParse(answer.body);
      if (!parsed.success) return { allowed: false, failure: unanswered(answer) };
      if (parsed.data.status === "allowed") {
        begun.set(request, what);
        return { allowed: true, request };
      }
      const { code, message, hint } = parsed.data;
      return { allowed: false, failure: { code, message, hint, retryable: false } };
    },

    async end(request: string, usage: Usage | null) {
      try {
        const answer = await inTime(priceWaitMs, tellEnd({ request, usage }));
        const parsed = answer?.status === 200 ? spendEndAnswerSchema.safeParse(answer.body) : null;
        return parsed?.success ? parsed.data.usd : 0;
      } catch {
        // The gateway charges the estimate when it never hears the end.
        return 0;
      }
    },
  };
}

function unanswered(answer: Answer | null): ModelFailure {
  const error = (answer?.body as { error?: { code?: string; message?: string; hint?: string } } | null)?.error;
  return {
    code: answer?.status === 404 ? (error?.code ?? "unknown_run") : "budget_unreachable",
    message: error?.message ?? "the gateway did not say whether this may be spent, so no model was asked",
    hint: error?.hint ?? "ask again once `clawdinator fleet status` shows the instance as ready",
    retryable: false,
  };
}

/** Null when it takes longer; the work goes on, and what becomes of it then is nobody's concern. */
async function inTime<T>(milliseconds: number, work: Promise<T>): Promise<T | null> {
  work.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), milliseconds);
    timer.unref();
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
