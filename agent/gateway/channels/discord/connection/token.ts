/** Where the bot's token lies: read anew each time, so that a rotated one is taken up without a restart. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../../../../tools/errors.ts";
import type { Config } from "../../../../config.ts";
import { secretFile, secretsDirectory } from "../../../../secret-files.ts";

/** The fleet's name for the secret; each name may have one of its own, which goes first. */
export const tokenSecretName = "discord-token";

/** Three parts of base64url joined by points, such as Discord hands out; local servers may take shorter ones. */
const tokenPattern = /^[A-Za-z0-9_.-]{10,200}$/;

/** Which secret a name has hardly ever changes, and asking the store may cost something. */
const secretKeptMs = 60_000;

export interface TokenSources {
  config: Pick<Config, "provider" | "secrets" | "channels">;
  home: string;
  /** CLAWDINATOR-n. */
  name: string;
  environment: NodeJS.ProcessEnv;
  /** The secret that the fleet repository gives to this name; null for the usual one. */
  tokenSecret(): Promise<string | null>;
}

/**
 * A function that gives the token as it is now, or null when there is none. Throws ConfigError `discord_token_unusable`
 * for a file that cannot be used; no message holds the token.
 */
export function tokenReader(sources: TokenSources): () => Promise<string | null> {
  const { config, home, name, environment } = sources;
  const { tokenFile } = config.channels.discord;
  let given: { secret: string | null; until: number } | null = null;
  const givenSecret = async (): Promise<string | null> => {
    if (given === null || performance.now() > given.until) {
      given = { secret: await sources.tokenSecret(), until: performance.now() + secretKeptMs };
    }
    return given.secret;
  };
  return async () => {
    if (tokenFile !== undefined) {
      const text = await readIfThere(tokenFile);
      if (text === null) throw unusable(`there is no file ${tokenFile}, which should hold the bot's token`);
      return checked(text, `in ${tokenFile}`);
    }
    const own = await givenSecret();
    const secret = own ?? tokenSecretName;
    for (const file of filesOf({ config, home, name }, secret)) {
      const text = await readIfThere(file);
      if (text !== null) return checked(text, `in ${file}`);
    }
    const variable = environment.DISCORD_TOKEN;
    // A name with a secret of its own must never speak as another bot.
    return own === null && variable ? checked(variable, "in DISCORD_TOKEN") : null;
  };
}

/** On AWS the name's own and the shared secret are one file, which is kept in step; here the name's own goes first. */
function filesOf({ config, home, name }: Pick<TokenSources, "config" | "home" | "name">, secret: string): string[] {
  const usual = secretFile({ config, home, name: secret });
  return config.provider === "aws" ? [usual] : [join(secretsDirectory(config, home), name, secret), usual];
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw unusable(`the bot's token in ${file} cannot be read: ${(cause as Error).message}`, cause);
  }
}

/** What cannot be a header would be quoted in the error of whoever tries to send it. */
function checked(text: string, where: string): string {
  const token = text.trim().replace(/^Bot\s+/i, "");
  if (tokenPattern.test(token)) return token;
  throw unusable(
    `the bot's token ${where} is ${token === "" ? "empty" : "not a token: it has characters or a length that no token has"}`,
  );
}

function unusable(message: string, cause?: unknown): ConfigError {
  return new ConfigError(message, {
    code: "discord_token_unusable",
    hint: `put the token alone into it, readable by this user: \`clawdinator secrets put ${tokenSecretName}\``,
    cause,
  });
}
