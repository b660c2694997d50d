/**
 * What is known of models by name, as of 2026-11-23.
 *
 * Sources: https://platform.claude.com/docs/en/about-claude/models/overview (and its page on thinking) for Claude,
 * https://developers.openai.com/api/docs/models for GPT. Where a figure depends on a beta or an account, the smaller one
 * stands here; `contextTokens` and `maxOutputTokens` of the configuration come first.
 */
import type { Thinking } from "./provider-options.ts";

export interface ModelLimits {
  contextTokens: number;
  /** The most that the endpoint allows in one answer, thinking included. */
  maxOutputTokens: number;
}

const limits: [name: RegExp, ModelLimits][] = [
  [/^claude-(fable|mythos|opus|sonnet|haiku)-5/, { contextTokens: 1_000_000, maxOutputTokens: 128_000 }],
  [/^claude-/, { contextTokens: 200_000, maxOutputTokens: 64_000 }],
  [/^gpt-(6|5\.6|5\.5)/, { contextTokens: 1_050_000, maxOutputTokens: 128_000 }],
  [/^gpt-5/, { contextTokens: 400_000, maxOutputTokens: 128_000 }],
  [/^gpt-4\.1/, { contextTokens: 1_047_576, maxOutputTokens: 32_768 }],
  [/^(gpt-4o|chatgpt-4o)/, { contextTokens: 128_000, maxOutputTokens: 16_384 }],
  [/^o[134]/, { contextTokens: 200_000, maxOutputTokens: 100_000 }],
];

/** Long enough for thinking and a long answer, short enough that a run that goes astray stays cheap. */
const usualMaxOutputTokens = 32_000;

/** Limits to work with: the configuration's, else what is known of the model, else `unknown`. */
export function limitsOf<Context extends number | null>(
  model: string | undefined,
  options: { contextTokens?: number; maxOutputTokens?: number },
  unknown: { contextTokens: Context; maxOutputTokens: number },
): { contextTokens: number | Context; maxOutputTokens: number } {
  const known = limits.find(([name]) => name.test(model ?? ""))?.[1];
  return {
    contextTokens: options.contextTokens ?? known?.contextTokens ?? unknown.contextTokens,
    maxOutputTokens:
      options.maxOutputTokens ??
      (known ? Math.min(known.maxOutputTokens, usualMaxOutputTokens) : unknown.maxOutputTokens),
  };
}

/** How a Claude model takes `thinking`. */
export type ClaudeThinking =
  /** Decides itself; cannot be switched off. */
  | "always"
  /** Decides itself; `between_tools` is the least. */
  | "between_tools"
  /** Decides itself; can be disabled. */
  | "adaptive"
  /** Wants a number of tokens; off when nothing is said. */
  | "budget";

const claudeThinking: [name: RegExp, ClaudeThinking][] = [
  [/^claude-(fable|mythos)-|^claude-opus-5-[5-9]/, "always"],
  [/^claude-sonnet-5-[5-9]/, "between_tools"],
  [/^claude-((opus|sonnet|haiku)-5|opus-4-[678]|sonnet-4-6)/, "adaptive"],
  [/^claude-/, "budget"],
];

export function claudeThinkingOf(model: string): ClaudeThinking {
  return claudeThinking.find(([name]) => name.test(model))?.[1] ?? "adaptive";
}

/** Tokens of thinking for models that want a number; the API's least is 1,024. */
export const thinkingBudgetTokens: Record<Exclude<Thinking, "off">, number> = {
  low: 2_048,
  medium: 8_192,
  high: 20_000,
};

/** Models without reasoning refuse both `reasoning` and the request for encrypted reasoning. */
export function gptReasons(model: string): boolean {
  return !/^(gpt-3|gpt-4|chatgpt-)|-chat-latest$/.test(model);
}

/** The least effort that a GPT model takes: `none` went with GPT-6.1, and `low` is right for all of that generation. */
export function gptLeastEffort(model: string): "none" | "minimal" | "low" {
  if (/^o\d|^gpt-[6-9]|^gpt-\d[\d.]*-pro|codex/.test(model)) return "low";
  return /^gpt-5(-|$)/.test(model) ? "minimal" : "none";
}
