/**
 * Every request of the bot to Discord passes here. Discord bans an address after 10,000 answers of 401, 403 or 429 in
 * 10 minutes, siblings behind the same address included, so far fewer than that end all requests for a while.
 */
import type { RESTOptions } from "discord.js";
import { ProviderError } from "../../../../../tools/errors.ts";

const windowMs = 600_000;
/** A twentieth of what bans an address: ten siblings may share one. */
const refusalLimit = 500;

export interface RequestGuard {
  /** Stands in for discord.js's own function that makes a request. */
  makeRequest: RESTOptions["makeRequest"];
  /** The same for questions that a candidate may ask too: nothing is changed by them. */
  ask: RESTOptions["makeRequest"];
  /** Milliseconds for which no request is made, because too many were refused; 0 when all is well. */
  blockedMs(): number;
}

export function createRequestGuard(options: {
  send: RESTOptions["makeRequest"];
  /** Whether this instance may act under its name. */
  mayAct(): boolean;
  /** Discord refused the token itself. */
  onTokenRefused(): void;
  limit?: number;
}): RequestGuard {
  const limit = options.limit ?? refusalLimit;
  /** Monotonic times, oldest first; never more than the limit. */
  let refusals: number[] = [];

  const blockedMs = (): number => {
    const now = performance.now();
    refusals = refusals.filter((at) => at > now - windowMs);
    const [oldest] = refusals;
    return refusals.length < limit || oldest === undefined ? 0 : oldest + windowMs - now;
  };

  const ask: RESTOptions["makeRequest"] = async (url, init) => {
    const waitMs = blockedMs();
    if (waitMs > 0) {
      throw new ProviderError(
        `Discord refused ${limit} requests in 10 minutes; the next one goes out in ${Math.ceil(waitMs / 60_000)} min`,
        {
          code: "discord_too_many_refusals",
          hint: "mend what `clawdinator doctor` says of Discord; going on would get this address banned",
        },
      );
    }
    const answer = await options.send(url, init);
    const isOthersLimit = answer.status === 429 && answer.headers.get("x-ratelimit-scope") === "shared";
    if ([401, 403, 429].includes(answer.status) && !isOthersLimit) refusals.push(performance.now());
    // A webhook's or interaction's token in the address can be over without the bot's being wrong.
    const isAsBot = new Headers(init.headers as HeadersInit).has("authorization");
    if (answer.status === 401 && isAsBot) options.onTokenRefused();
    return answer;
  };

  return {
    blockedMs,
    ask,
    async makeRequest(url, init) {
      if (options.mayAct()) return ask(url, init);
      throw new ProviderError("this instance does not hold its name, so nothing is sent to Discord", {
        code: "discord_not_holder",
        hint: "the instance that holds it answers; `clawdinator fleet status` shows which one",
      });
    },
  };
}
