/** The one line that a person reads when another model takes over. */
import { shorten } from "../../../tools/shorten.ts";
import type { ModelIdentity } from "../../protocol.ts";
import type { ModelFailure } from "./model.ts";

const longestNotice = 1_000;
const builtIn = "the built-in commands";

/** As people say it. */
export function nameOf({ provider, model }: ModelIdentity): string {
  if (provider === "anthropic") return "Claude";
  if (provider === "openai") return "GPT";
  return provider === "interpreter" ? builtIn : model;
}

/** “Claude is overloaded; GPT answers this one.” */
export function switchNotice({
  from,
  to,
  failure,
}: {
  from: ModelIdentity;
  to: ModelIdentity;
  failure: ModelFailure;
}): string {
  const isSameFamily = nameOf(from) === nameOf(to);
  const [fromName, toName] = isSameFamily ? [from.model, to.model] : [nameOf(from), nameOf(to)];
  return line(`${whyOf(failure, fromName)}; ${toName} ${toName === builtIn ? "answer" : "answers"} this one.`);
}

/** What may be spent is spent, and nobody who costs money answers. */
export function freeNotice(failure: ModelFailure): string {
  return line(`${capital(failure.message.replace(/\.$/, ""))}; ${builtIn} answer this one.`);
}

const reasons: Record<string, string> = {
  model_overloaded: "is overloaded",
  model_unavailable: "cannot be reached",
  model_stream_broken: "broke off in the middle",
  model_unauthorized: "did not accept our key",
  model_unknown: "is not known at its endpoint",
  model_declined: "will not answer this",
  model_refused: "did not accept the request",
};

function whyOf(failure: ModelFailure, name: string): string {
  if (failure.code === "model_overloaded" && failure.retryable === false) return `${name} is out of credit`;
  return `${name} ${reasons[failure.code] ?? `failed (${failure.code})`}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function line(text: string): string {
  return shorten(text.replace(/\s+/g, " "), longestNotice);
}
