/** Which model does what, by the configuration and by the keys that are there. */
import { existsSync } from "node:fs";
import type { Config } from "../../config.ts";
import { interpreterModel } from "./interpreter.ts";
import { meteredModel } from "./metered.ts";
import type { Model } from "./model.ts";
import { defaultOpenAiCodingModel, type ProviderOptions } from "./provider-options.ts";
import { makeCooldowns, routeModel } from "./route.ts";
import type { Spend } from "./spend.ts";

export interface Models {
  /** Who talks. */
  personality: Model;
  /** Who writes code; null where only the interpreter is there. */
  readonly coding: Model | null;
  /** Who shortens long conversations. */
  summaries: Model;
  /**
   * Looks again which keys are there, so that one that appears is used by the next run without a restart. Cheap: call it
   * before each run.
   */
  refresh(): Promise<void>;
}

export interface SelectOptions {
  /** Where the fleet's own secret of this name lies, for a model that has no `apiKeyFile`. */
  keyFile(name: string): string;
  spend: Spend;
  now?: () => number;
  random?: () => number;
}

type Choice = NonNullable<Config["models"]["personality"]>;

const anthropicKey = "anthropic-api-key";
const openAiKey = "openai-api-key";
const openAiHost = "api.openai.com";

/** Providers and their SDKs are loaded when they are first needed. */
export async function selectModels(
  config: Config,
  environment: NodeJS.ProcessEnv,
  options: SelectOptions,
): Promise<Models> {
  const { models: settings } = config;
  const cooldowns = makeCooldowns(options.now);
  const interpreter = interpreterModel(options.now ? { now: options.now } : {});
  const made = new Map<string, Model>();
  let chains: Record<"personality" | "coding" | "summaries", Model[]> = {
    personality: [interpreter],
    coding: [interpreter],
    summaries: [interpreter],
  };

  /** The same settings are the same model, so that what is known of its health is known everywhere. */
  async function modelOf(choice: Choice): Promise<Model> {
    const key = JSON.stringify(choice);
    const known = made.get(key);
    if (known) return known;
    const model =
      choice.provider === "interpreter"
        ? interpreter
        : meteredModel(await provide(choice, environment, options), { spend: options.spend });
    made.set(key, model);
    return model;
  }

  async function refresh(): Promise<void> {
    const keys = keysThere(environment, options);
    const talks = settings.personality ?? defaultPersonality(environment, keys);
    const codes =
      settings.coding ?? (keys.openai ? { provider: "openai" as const, model: defaultOpenAiCodingModel } : talks);
    const personality = await chainOf([talks, ...settings.fallbacks]);
    chains = {
      personality,
      coding: unique([await modelOf(codes), ...personality]),
      summaries: settings.summaries ? unique([await modelOf(settings.summaries), ...personality]) : personality,
    };
  }

  async function chainOf(choices: Choice[]): Promise<Model[]> {
    const chain: Model[] = [];
    for (const choice of choices) chain.push(await modelOf(choice));
    return unique(chain);
  }

  await refresh();
  const routeFor = (purpose: keyof typeof chains) =>
    routeModel({ models: () => chains[purpose], cooldowns, interpreter, random: options.random });
  const coding = routeFor("coding");
  return {
    personality: routeFor("personality"),
    get coding() {
      return chains.coding.some((model) => model.readsPrompt) ? coding : null;
    },
    summaries: routeFor("summaries"),
    refresh,
  };
}

function keysThere(
  environment: NodeJS.ProcessEnv,
  { keyFile }: SelectOptions,
): { anthropic: boolean; openai: boolean } {
  const { ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN, OPENAI_API_KEY } = environment;
  return {
    anthropic: Boolean(ANTHROPIC_API_KEY || ANTHROPIC_AUTH_TOKEN) || existsSync(keyFile(anthropicKey)),
    openai: Boolean(OPENAI_API_KEY) || existsSync(keyFile(openAiKey)),
  };
}

function defaultPersonality(environment: NodeJS.ProcessEnv, keys: { anthropic: boolean; openai: boolean }): Choice {
  if (keys.anthropic) return { provider: "anthropic" };
  if (environment.OPENAI_BASE_URL) return { provider: "openai-compatible" };
  return { provider: keys.openai ? "openai" : "interpreter" };
}

async function provide(choice: Choice, environment: NodeJS.ProcessEnv, { keyFile }: SelectOptions): Promise<Model> {
  const { provider, price: _price, ...settings } = choice;
  // The fleet's key for OpenAI is nobody else's business: another endpoint gets the key that was named for it, or none.
  const isAnothers = provider === "openai-compatible" && hostOf(settings, environment) !== openAiHost;
  const name = provider === "anthropic" ? anthropicKey : openAiKey;
  const options: ProviderOptions = {
    ...settings,
    ...(isAnothers ? {} : { keyFileIfThere: keyFile(name) }),
    environment,
  };
  if (provider === "anthropic") return (await import("./anthropic.ts")).anthropicModel(options);
  if (provider === "openai") return (await import("./openai-responses.ts")).openAiResponsesModel(options);
  return (await import("./openai-chat.ts")).openAiChatModel(options);
}

function hostOf({ baseUrl }: Pick<Choice, "baseUrl">, { OPENAI_BASE_URL }: NodeJS.ProcessEnv): string {
  const address = baseUrl ?? OPENAI_BASE_URL;
  return address && URL.canParse(address) ? new URL(address).hostname : openAiHost;
}

function unique(models: Model[]): Model[] {
  return [...new Set(models)];
}
