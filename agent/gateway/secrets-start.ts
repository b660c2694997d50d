/** The secret files of an instance, from its configuration. */
import type { AwsClients } from "../../tools/fleet/aws/clients.ts";
import type { Config } from "../config.ts";
import { secretsDirectory, syncedPrefix } from "../secret-files.ts";
import { openSecrets } from "./secrets.ts";
import { openSecretsDirectory } from "./secrets-directory.ts";
import { type SecretsSync, type SecretsSyncOptions, startSecretsSync } from "./secrets-sync.ts";

export interface KeepOptions extends Omit<SecretsSyncOptions, "secrets" | "directory"> {
  config: Pick<Config, "provider" | "aws" | "secrets">;
  home: string;
  environment: NodeJS.ProcessEnv;
  clients: AwsClients | null;
}

/**
 * Keeps them in step from now on; null where secrets are kept as files anyway. Its first look has begun, `look()` awaits
 * it. `stop()` before the store is closed.
 */
export async function keepSecretFiles(options: KeepOptions): Promise<SecretsSync | null> {
  const { config, home } = options;
  if (config.provider !== "aws") return null;
  const directory = openSecretsDirectory({ path: secretsDirectory(config, home), prefix: syncedPrefix });
  return startSecretsSync({ ...options, secrets: await openSecrets(options), directory });
}
