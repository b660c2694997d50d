/** What a provider is made from: the configuration's entry for a model, where a key may lie, and the environment. */

export type Thinking = "off" | "low" | "medium" | "high";

/** The standard variables of the providers; an address or a key in the configuration comes first. */
export interface ProviderEnvironment {
  ANTHROPIC_API_KEY?: string;
  /** Sent as a bearer token, for gateways in front of the API; `ANTHROPIC_API_KEY` comes first. */
  ANTHROPIC_AUTH_TOKEN?: string;
  ANTHROPIC_BASE_URL?: string;
  OPENAI_API_KEY?: string;
  OPENAI_BASE_URL?: string;
  /** Used by the chat endpoint only. */
  OPENAI_MODEL?: string;
}

export interface ProviderOptions {
  /** As the endpoint knows it; each provider has a default. */
  model?: string;
  baseUrl?: string;
  /** Read again whenever the file changes. */
  apiKeyFile?: string;
  /** Stands in for `apiKeyFile` while it exists, before the variables; read again whenever it changes. */
  keyFileIfThere?: string;
  thinking?: Thinking;
  /** Tokens that a request and its answer may have together; default what is known of the model. */
  contextTokens?: number;
  /** Tokens that one answer may have; default by what is known of the model. */
  maxOutputTokens?: number;
  environment: ProviderEnvironment;
}

/** Newest Sonnet in the model union of `@anthropic-ai/sdk` 1.12. */
export const defaultAnthropicModel = "claude-sonnet-5-5";
/** Newest model for general use in the union of `openai` 7.57. */
export const defaultOpenAiModel = "gpt-6.1-sol";
/** The union's Codex models were shut down in July 2026 in favour of the general ones, which code as well. */
export const defaultOpenAiCodingModel = "gpt-6.1-sol";
