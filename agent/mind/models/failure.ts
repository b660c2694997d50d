/** From whatever an SDK throws to the one form of failure that the rest knows. */
import { hideShapes } from "../../../memory/secret-shapes.ts";
import { isKnownError } from "../../../tools/errors.ts";
import type { ModelFailure } from "./model.ts";
import { retryAfterOf } from "./retry.ts";

export interface FailureContext {
  /** Address of the endpoint, for the message. */
  endpoint: string;
  /** Must not appear in any message. */
  key: string | null;
  /** The endpoint has begun to answer: what breaks now is the stream. */
  hasBegun: boolean;
  nowMs: number;
}

type Kind = Pick<ModelFailure, "code" | "hint"> & { retryable: boolean };

const overloaded: Kind = {
  code: "model_overloaded",
  hint: "wait, or raise the limit at the provider",
  retryable: true,
};
const unavailable: Kind = {
  code: "model_unavailable",
  hint: "check that the endpoint runs and can be reached, then ask again",
  retryable: true,
};
const broken: Kind = {
  code: "model_stream_broken",
  hint: "ask again; if it happens often, look at the endpoint's own log",
  retryable: true,
};
const usedUp: Kind = {
  code: "model_overloaded",
  hint: "the provider's credit or spending limit is used up: raise it there, or configure models.fallbacks",
  retryable: false,
};
const unauthorized: Kind = {
  code: "model_unauthorized",
  hint: "check the key: the model's apiKeyFile, the fleet's secret, or the provider's variable",
  retryable: false,
};
const unknown: Kind = {
  code: "model_unknown",
  hint: "check the model's name and baseUrl in the configuration",
  retryable: false,
};
const full: Kind = {
  code: "model_context_full",
  hint: "the conversation is too long for this model: begin a new one, or ask in smaller steps",
  retryable: false,
};
const declined: Kind = {
  code: "model_declined",
  hint: "put the request differently; what the model will not serve stays unserved",
  retryable: false,
};
const refused: Kind = { code: "model_refused", hint: "the endpoint's reason says what to change", retryable: false };

/** By the names in an error's `code` and `type`: Anthropic's error types, OpenAI's error codes, and Response errors. */
const kindByName: Record<string, Kind> = {
  insufficient_quota: usedUp,
  billing_error: usedUp,
  billing_hard_limit_reached: usedUp,
  billing_not_active: usedUp,
  budget_exceeded: usedUp,
  rate_limit_error: overloaded,
  rate_limit_exceeded: overloaded,
  overloaded_error: overloaded,
  server_is_overloaded: overloaded,
  slow_down: overloaded,
  context_length_exceeded: full,
  exceed_context_size_error: full,
  request_too_large: full,
  authentication_error: unauthorized,
  permission_error: unauthorized,
  invalid_api_key: unauthorized,
  not_found_error: unknown,
  model_not_found: unknown,
  content_filter: declined,
  content_policy_violation: declined,
  invalid_prompt: declined,
  bio_policy: declined,
  cyber_policy: declined,
  misalignment_policy_violation: declined,
  api_error: unavailable,
  server_error: unavailable,
  timeout_error: unavailable,
};

/** Neither Anthropic nor llama.cpp names this case in a code of its own: only the sentence tells it from other 400s. */
const contextFullSentence =
  /prompt is too long|input is too long|exceed(s|ed)? (the )?(available |maximum |model's )?context|maximum context length/i;

export function failureOf(error: unknown, context: FailureContext): ModelFailure {
  if (isKnownError(error)) {
    const { code, message, hint } = error;
    return { code, message: redact(message, context.key), hint, retryable: false };
  }
  const { status, names, reason, headers } = detailsOf(error);
  const kind = kindOf({ status, names, reason, hasBegun: context.hasBegun });
  const mayRepeat = kind.retryable && headers?.get("x-should-retry") !== "false";
  return {
    code: kind.code,
    message: redact(`the model endpoint ${addressOf(context.endpoint)} failed: ${reason}`, context.key),
    hint: kind.hint,
    retryable: mayRepeat,
    retryAfterMs: mayRepeat ? retryAfterOf(headers, context.nowMs) : null,
  };
}

/** A failure that the endpoint reported inside an answer, by the name it gave. */
export function reportedFailure(
  report: { name: string; reason: string },
  context: Omit<FailureContext, "nowMs" | "hasBegun">,
): ModelFailure {
  const kind = kindByName[report.name] ?? refused;
  return {
    ...kind,
    message: redact(`the model endpoint ${addressOf(context.endpoint)} failed: ${report.reason}`, context.key),
    retryAfterMs: null,
  };
}

export function declinedFailure(model: string, reason: string): ModelFailure {
  return {
    ...declined,
    message: `${model} declined to answer${reason === "" ? "" : `: ${reason}`}`,
    retryAfterMs: null,
  };
}

export function contextFullFailure(model: string): ModelFailure {
  return { ...full, message: `the conversation fills the context of ${model}`, retryAfterMs: null };
}

export function brokenFailure(reason: string): ModelFailure {
  return { ...broken, message: reason, retryAfterMs: null };
}

interface Details {
  status: number | undefined;
  names: string[];
  reason: string;
  headers: Headers | undefined;
}

/** Both SDKs: `status`, `headers`, `code`, `type` and the body's own message, which may lie one `error` deeper. */
function detailsOf(error: unknown): Details {
  const shape = (typeof error === "object" && error !== null ? error : {}) as {
    status?: unknown;
    headers?: unknown;
    code?: unknown;
    type?: unknown;
    error?: { code?: unknown; type?: unknown; message?: unknown; error?: { message?: unknown; type?: unknown } } | null;
  };
  const body = shape.error?.error ?? shape.error;
  // llama.cpp puts the status into the code of an error that comes within a stream.
  const numbers = [shape.status, shape.code, shape.error?.code].filter((value) => typeof value === "number");
  const status = numbers.find((value) => value >= 400 && value < 600);
  const names = [shape.code, shape.type, shape.error?.code, body?.type].filter((value) => typeof value === "string");
  const said = typeof body?.message === "string" && body.message !== "" ? body.message : null;
  const fallback = error instanceof Error ? messageWithCause(error) : String(error);
  const reason = said === null ? fallback : `${status === undefined ? "" : `${status} `}${said}`;
  return { status, names, reason, headers: shape.headers instanceof Headers ? shape.headers : undefined };
}

function messageWithCause(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause.message : "";
  return cause !== "" && !error.message.includes(cause) ? `${error.message} (${cause})` : error.message;
}

function kindOf({
  status,
  names,
  reason,
  hasBegun,
}: Pick<Details, "status" | "names" | "reason"> & { hasBegun: boolean }): Kind {
  const named = names.flatMap((name) => kindByName[name] ?? []);
  // A used-up budget comes as 429 too, and must not be asked again.
  if (status === 402 || named.includes(usedUp)) return usedUp;
  if (status === 413 || named.includes(full)) return full;
  if ((status === 400 || status === 422 || status === undefined) && contextFullSentence.test(reason)) return full;
  if (named[0] !== undefined) return named[0];
  if (status === undefined) return hasBegun ? broken : unavailable;
  if (status === 429 || status === 503 || status === 529) return overloaded;
  if (status === 401 || status === 403) return unauthorized;
  if (status === 404) return unknown;
  if (status === 408 || status === 409 || status >= 500) return unavailable;
  return refused;
}

function addressOf(address: string): string {
  if (!URL.canParse(address)) return "(not an address)";
  const { origin, pathname } = new URL(address);
  return origin + pathname.replace(/\/$/, "");
}

/** Without the key, and without whatever else looks like a credential. */
export function redact(text: string, key: string | null): string {
  // A text this short is no secret, and would be found in words.
  const withoutKey = key !== null && key.length >= 6 ? text.replaceAll(key, "[key]") : text;
  const withoutCredentials = withoutKey.replace(/\/\/[^/@\s]+@/g, "//");
  // Providers name a wrong key in part, such as `sk-abc***xyz`: that is less than a key's shape.
  const withoutParts = hideShapes(withoutCredentials, "[key]").replace(/\bsk-[A-Za-z0-9_*-]{6,}/g, "[key]");
  return withoutParts.replace(/\bBearer \S+/g, "Bearer [key]");
}
