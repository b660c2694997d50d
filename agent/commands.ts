/**
 * Plain sentences to typed commands: pure and deterministic, because the gateway uses it too, to verify that an
 * operation proposed in a run is exactly what the maintainer's typed text means. It never guesses: what is not a
 * documented sentence as a whole gets help.
 */
import { type CommandForm, type CommandInput, commandForms } from "./command-forms.ts";

export type HelpReason = "asked" | "thanks" | "approval" | "negated" | "conditional" | "question" | "unknown";

export type Command =
  | { kind: "call"; tool: string; input: CommandInput }
  /** `text` answers the person: what was not understood, and the nearest documented sentences. */
  | { kind: "help"; reason: HelpReason; text: string };

export { commandForms } from "./command-forms.ts";

/** Sentences are short; anything longer is prose and only `remember` may be that long. */
const longestSentence = 400;
const nearestForms = 3;

/** The one command that a typed text means, or help. */
export function parseCommand(text: string): Command {
  const sentence = clean(text);
  for (const form of commandForms) {
    // Asking whether to do something is not a request to do it.
    if (form.kind === "operation" && (sentence.isQuestion || sentence.text.length > longestSentence)) continue;
    for (const pattern of form.sentences) {
      const match = pattern.exec(form.tool === "memory_append" ? sentence.withEnding : sentence.text);
      const input = match ? form.input(match.groups ?? {}) : null;
      if (input !== null) return { kind: "call", tool: form.tool, input };
    }
  }
  return help(sentence.text, sentence.isQuestion);
}

interface Sentence {
  /** Without greeting, politeness and final punctuation; inner white space is single spaces. */
  text: string;
  /** The same with its final punctuation. */
  withEnding: string;
  /** Ends with a question mark and is not a polite request such as "can you …?". */
  isQuestion: boolean;
}

const mention = "(?:<@!?[0-9]{1,25}>|@clawdinator(?:-[0-9]{1,4})?(?![A-Za-z0-9_-]))";
const addressed = new RegExp(`^${mention}[,:]? *`, "i");
const addressedPlainly = /^clawdinator(?:-[0-9]{1,4})?[,:] */i;
const greeting = /^(?:hey|hi|hello)\b(?: clawdinator(?:-[0-9]{1,4})?\b)?[,!]? */i;
const request = /^(?:can|could|would|will) you(?: please)? (?!not\b)/i;
const please = /^please[,]? /i;
const thanks = /[,]? (?:please|thanks|thank you|thx)$/i;
const addressedLast = new RegExp(`, ?${mention}$`, "i");

/** What is quoted (lines that begin with `>`) is somebody's words, and never this person's order. */
function ownWords(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^ {0,3}>/.test(line))
    .join("\n");
}

/** Takes off what carries no meaning, each kind at most once, so that nothing is whittled down to a command. */
function clean(original: string): Sentence {
  let text = ownWords(original).trim().replace(/\s+/g, " ");
  let isAddressed = false;
  let isRequest = false;
  for (const [kind, pattern] of [
    ["address", addressed],
    ["address", addressedPlainly],
    ["greeting", greeting],
    ["address", addressed],
    ["please", please],
    ["request", request],
    ["please", please],
  ] as const) {
    if (!pattern.test(text) || (kind === "address" && isAddressed)) continue;
    if (kind === "address") isAddressed = true;
    if (kind === "request") isRequest = true;
    text = text.replace(pattern, "");
  }
  const withEnding = text;
  const ending = /^(.*?) ?(\?|!{1,3}|\.(?<!\.\.))?$/.exec(text);
  // A name or revision may be set as code; a whole sentence set as code is a quotation.
  text = (ending?.[1] ?? text)
    .replace(/`([^`\s]+)`/g, "$1")
    .replace(addressedLast, "")
    .replace(thanks, "");
  // "…, please?" and "…?" are questions alike; only "can you …?" is a request in a question's clothes.
  const isQuestion = ending?.[2] === "?" && !isRequest;
  return { text: withAtNames(text), withEnding, isQuestion };
}

/** `@CLAWDINATOR-2` inside a sentence is its name. */
function withAtNames(text: string): string {
  return text.replace(/(^| )@(clawdinator-[0-9]{1,4})\b/gi, "$1$2");
}

const explanations: Record<HelpReason, string> = {
  asked: "These are the sentences that I understand:",
  thanks: "You are welcome. That is what the claws are for.",
  approval:
    "I never approve or reject anything. A maintainer decides, on the console's Approvals page or with " +
    "`clawdinator approvals approve ID` or `clawdinator approvals reject ID`; `clawdinator approvals list` shows what waits.",
  negated: "I read that as something not to do, so I did nothing. To ask for it, write one of these sentences:",
  conditional: "I cannot act on conditions, so I did nothing. When the time has come, write one of these sentences:",
  question: "I am not sure whether that asks me to act, so I did nothing. To ask for it, write one of these sentences:",
  unknown: "I did not understand that, so I did nothing. These sentences come nearest:",
};

function help(text: string, isQuestion: boolean): Command {
  const lower = text.toLowerCase().replaceAll("’", "'");
  const reason = reasonOf(lower, isQuestion);
  if (reason === "approval" || reason === "thanks") return { kind: "help", reason, text: explanations[reason] };
  const nearest = reason === "asked" ? commandForms : nearestTo(lower);
  const lines = (nearest.length > 0 ? nearest : [...commandForms].filter(isCommon)).map(
    (form) => `- \`${form.pattern}\` (such as “${form.example}”): ${form.description}`,
  );
  const more = reason === "asked" ? "" : "\nWrite `help` for all of them.";
  return { kind: "help", reason, text: `${explanations[reason]}\n${lines.join("\n")}${more}` };
}

/** Thanks and nothing else: praise that goes on is a sentence to be understood. */
const praise =
  /^(?:(?:many )?thanks?(?: you)?(?: (?:so|very) much| a lot)?|thx|cheers|well done|(?:good|great|nice) (?:job|work|bot|one)|(?:great|nice|perfect|awesome)|[,.! ])+$/;

function reasonOf(lower: string, isQuestion: boolean): HelpReason {
  if (/^(?:help|commands|what can you do|what do you understand|how do you work)$/.test(lower)) return "asked";
  if (/^(?:(?:i|we|you|yes,?|ok,?|please) )*(?:approved?|reject(?:ed)?|deny|decline)\b/.test(lower)) return "approval";
  if (praise.test(lower)) return "thanks";
  const hasVerb = commandForms.some((form) => form.kind === "operation" && form.keywords.test(lower));
  if (/\bapprov(?:e|al|als|ed)\b|\breject\b/.test(lower)) return "approval";
  if (!hasVerb) return "unknown";
  if (/\b(?:not|never|no|don't|dont|do n't|cannot|can't|won't|without|stop|cancel|instead)\b/.test(lower))
    return "negated";
  if (/\b(?:if|when|once|after|before|unless|until|as soon as|in case)\b/.test(lower)) return "conditional";
  if (
    isQuestion ||
    /^(?:should|shall|do|does|is|are|was|did|why|what|which|who|how|may|can|could|would)\b/.test(lower)
  ) {
    return "question";
  }
  return "unknown";
}

/** Forms that share a keyword with the text, those that share more first. */
function nearestTo(lower: string): CommandForm[] {
  return commandForms
    .map((form, index) => ({ form, index, hits: lower.match(new RegExp(form.keywords, "g"))?.length ?? 0 }))
    .filter(({ hits }) => hits > 0)
    .sort((a, b) => b.hits - a.hits || a.index - b.index)
    .slice(0, nearestForms)
    .map(({ form }) => form);
}

function isCommon(form: CommandForm): boolean {
  return ["status", "spawn a sibling [at REVISION]", "search memory for TEXT"].includes(form.pattern);
}

/** The table of commands for `docs/interpreter.md`. */
export function commandTable(): string {
  const rows = commandForms.map(
    (form) => `| \`${form.pattern}\` | ${form.example} | \`${form.tool}\` | ${form.kind} | ${form.description} |`,
  );
  return ["| Sentence | Example | Tool | Kind | What it does |", "|---|---|---|---|---|", ...rows].join("\n");
}
