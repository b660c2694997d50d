/** Small requests of their own, such as an answer to a command, made again where nobody knows whether they arrived. */
import { setTimeout as sleep } from "node:timers/promises";

const attempts = 3;
/** All attempts together stay within the 3 s that Discord gives for a first answer to an interaction. */
const pauseMs = 200;

/**
 * What is asked for must be harmless when it is done twice. Discord's own word (a refusal, a limit) is final; only its
 * faults and broken connections are tried again. Nothing else may repeat requests around or below this.
 */
export async function again<T>(request: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      if (attempt >= attempts || !isUncertain(error)) throw error;
      await sleep(pauseMs * attempt);
    }
  }
}

function isUncertain(error: unknown): boolean {
  const { status, name, code } = (error ?? {}) as { status?: unknown; name?: unknown; code?: unknown };
  if (typeof status === "number") return status >= 500;
  // A time that has run out is not given again; a broken connection has a code.
  return name !== "AbortError" && name !== "TimeoutError" && typeof code === "string" && isOfNetwork(code);
}

function isOfNetwork(code: string): boolean {
  return /^(?:ECONN|EPIPE|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|UND_ERR_)/.test(code);
}
