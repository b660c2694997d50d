/** What may be spent, and how a refusal says it. Pure functions. */
import { type CostBreaker, isoText, untilText, usdText } from "../../../tools/cost-report.ts";
import type { Budgets } from "../../../tools/policy.ts";
import type { SpendBeginAnswer } from "../../protocol.ts";

export interface Refusal {
  code: string;
  message: string;
  hint: string;
  /** Milliseconds since 1970; null: until a person changes something. */
  until: number | null;
  /** It also opens the breaker: for this answer, and for whoever asks by itself. */
  opensBreaker?: true;
}

export interface Situation {
  budgets: Budgets;
  /** Whether money can be counted: an unknown price is stopped by a budget of 0 alone, and by the breaker. */
  isPriced: boolean;
  /** Asked for by a person, in their own message. */
  isMaintainers: boolean;
  isProof: boolean;
  estimateUsd: number;
  /** Of the estimate, what is spent for sure once it is sent: its input. */
  certainUsd: number;
  /** The fleet's today: spent and reserved, without this request. */
  fleetUsd: number;
  /** What health checks of this instance have cost today. */
  proofUsd: number;
  /** The answer that it belongs to, with what its other requests have reserved. */
  run: { usd: number; idleUsd: number } | null;
  now: number;
  until: number;
}

/** Health checks may use this part of the reserve, so that a rollback can still be proved. */
const proofShare = 0.5;

const tolerance = 1e-9;

/** Null: it may be made. The first limit that it would pass, dearest last. */
export function judge(situation: Situation): Refusal | null {
  const { budgets, now, until, run, estimateUsd, fleetUsd } = situation;
  if (budgets.usdPerDay === 0) return nothingMayBeSpent(situation.isPriced);
  if (!situation.isPriced) return null;
  const end = `until ${isoText(until)} (${untilText(until, now)})`;
  if (run && run.usd + situation.certainUsd >= budgets.usdPerRun - tolerance) {
    return {
      code: "budget_run",
      message: `this answer has cost ${usdText(run.usd)}${run.usd < budgets.usdPerRun - tolerance ? `, what its next request sends would cost ${usdText(situation.certainUsd)}` : ""}, and one may cost ${usdText(budgets.usdPerRun)}; it goes no further ${end}`,
      hint: "ask in smaller steps in a new message, or propose a policy_change with a higher budgets.usdPerRun",
      until,
      opensBreaker: true,
    };
  }
  if (run && run.idleUsd > 0 && run.idleUsd >= budgets.usdWithoutProgress - tolerance) {
    return {
      code: "budget_progress",
      message: `this answer has spent ${usdText(run.idleUsd)} without getting anywhere (no text, and no tool result that was not there before), and the limit is ${usdText(budgets.usdWithoutProgress)}; it goes no further ${end}`,
      hint: "look at what it kept trying and ask in another way; `clawdinator cost reset` closes the breaker",
      until,
      opensBreaker: true,
    };
  }
  const leftUsd = budgets.usdPerDay - fleetUsd;
  if (estimateUsd > leftUsd + tolerance) {
    return {
      code: "budget_day",
      message: `this would cost about ${usdText(estimateUsd)}, and ${usdText(Math.max(0, leftUsd))} of today's ${usdText(budgets.usdPerDay)} is left; nothing is spent on it ${end}`,
      hint: "wait for the next day (UTC), or propose a policy_change with a higher budgets.usdPerDay",
      until,
    };
  }
  const proofLeft = situation.isProof ? Math.max(0, budgets.reserveUsd * proofShare - situation.proofUsd) : 0;
  const keptUsd = situation.isMaintainers ? 0 : Math.max(0, budgets.reserveUsd - proofLeft);
  if (estimateUsd > leftUsd - keptUsd + tolerance) {
    return {
      code: "budget_reserve",
      message: `this would cost about ${usdText(estimateUsd)}, and the ${usdText(Math.max(0, leftUsd))} left of today's ${usdText(budgets.usdPerDay)} is kept for what maintainers ask themselves (reserve ${usdText(budgets.reserveUsd)}); nothing else is spent ${end}`,
      hint: "ask for it yourself, wait for the next day (UTC), or propose a policy_change of budgets.usdPerDay or budgets.reserveUsd",
      until,
    };
  }
  return null;
}

function nothingMayBeSpent(isPriced: boolean): Refusal {
  return {
    code: "budget_zero",
    message: isPriced
      ? "the policy's budget for models is 0 (budgets.usdPerDay): nothing may be spent"
      : "the policy's budget for models is 0 (budgets.usdPerDay), and the price of this model is unknown: nothing may be spent",
    hint: isPriced
      ? "propose a policy_change with a higher budgets.usdPerDay, or use the interpreter, which costs nothing"
      : "set models.*.price in the configuration, to 0 where it is free, or propose a policy_change with a higher budgets.usdPerDay",
    until: null,
  };
}

/** A mind has a handful of requests under way; more are a fault or an attack. */
export const mostOpen = 64;
export function refusalByBreaker({ code, reason, until }: CostBreaker): Refusal {
  return {
    code: code === "budget_run" ? "budget_run" : "budget_breaker",
    message: `the breaker is open: ${reason}`,
    hint: "look at what it was doing; a maintainer closes the breaker with `clawdinator cost reset` or on the console's Cost page",
    until,
  };
}

export function conflict(request: string): SpendBeginAnswer {
  return {
    status: "refused",
    code: "budget_request_used",
    message: `the request ${request} is another one's, or over`,
    hint: "each request has an id of its own",
    until: null,
  };
}

export function tooMany(): SpendBeginAnswer {
  return {
    status: "refused",
    code: "budget_requests_open",
    message: `${mostOpen} requests to models are under way, and no more are begun`,
    hint: "ask again when some of them have ended",
    until: null,
  };
}
