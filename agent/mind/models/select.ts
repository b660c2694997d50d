import type { Config } from "../../config.ts";
import { interpreterModel } from "./interpreter.ts";
import type { Model } from "./model.ts";

/**
 * The model that the configuration names; without one, the endpoint in the environment, else the interpreter.
 * `keyFile`: where the fleet's own secret lies, for a model that has no `apiKeyFile`.
 */
export async function selectModel(
  config: Config,
  environment: NodeJS.ProcessEnv,
  { keyFile }: { keyFile?: string } = {},
): Promise<Model> {
  const chosen = config.models.personality ?? {
    provider: environment.OPENAI_BASE_URL ? ("openai-compatible" as const) : ("interpreter" as const),
  };
  if (chosen.provider === "interpreter") return interpreterModel();
  const { openAiChatModel } = await import("./openai-chat.ts");
  return openAiChatModel({ ...chosen, environment, ...(keyFile === undefined ? {} : { keyFileIfThere: keyFile }) });
}
