/** Where the processes of an instance find its secrets as files. */
import { join } from "node:path";
import type { Config } from "./config.ts";

type SecretSettings = Pick<Config, "provider" | "secrets">;

/** Of file names in a directory that others may use too. */
export const syncedPrefix = "clawdinator-";

/**
 * On AWS a tmpfs, kept in step with Secrets Manager; else the directory where the secrets are kept, with nothing to
 * keep in step.
 */
export function secretsDirectory({ provider, secrets }: SecretSettings, home: string): string {
  return secrets.directory ?? (provider === "aws" ? "/run/agenix" : join(home, "secrets"));
}

export function secretFile(options: { config: SecretSettings; home: string; name: string }): string {
  const { config, home, name } = options;
  return join(secretsDirectory(config, home), `${config.provider === "aws" ? syncedPrefix : ""}${name}`);
}
