/** The one reader of model keys: from a file that may change at any time, or from the environment. */
import { readFile, stat } from "node:fs/promises";
import { ConfigError } from "../../../tools/errors.ts";

export interface KeySources {
  /** Must be there. */
  apiKeyFile?: string;
  /** Comes before the variable while it exists. */
  keyFileIfThere?: string;
  /** Value of the environment's variable. */
  variable?: string | undefined;
}

/**
 * A function that gives the key as it is now, or null when none is set. A file is read again only when it changed.
 * Throws ConfigError `model_unauthorized` for a file that cannot be used; its message never holds the key.
 */
export function keyReader(sources: KeySources): () => Promise<string | null> {
  const path = sources.apiKeyFile ?? sources.keyFileIfThere;
  let cached: { changed: string; key: string } | null = null;
  const readFrom = async (file: string): Promise<string> => {
    const { mtimeNs, ino, size } = await stat(file, { bigint: true });
    const changed = `${mtimeNs} ${ino} ${size}`;
    if (cached?.changed !== changed) cached = { changed, key: (await readFile(file, "utf8")).trim() };
    return cached.key;
  };
  return async () => {
    const fromVariable = sources.variable?.trim() || null;
    if (path === undefined) return checked(fromVariable, "in the environment");
    let key: string;
    try {
      key = await readFrom(path);
    } catch (cause) {
      if (sources.apiKeyFile === undefined && (cause as NodeJS.ErrnoException).code === "ENOENT")
        return checked(fromVariable, "in the environment");
      throw unusable(`cannot read the model's key file ${path}: ${(cause as Error).message}`, cause);
    }
    if (key !== "") return checked(key, `in ${path}`);
    if (sources.apiKeyFile === undefined) return checked(fromVariable, "in the environment");
    throw unusable(`the model's key file ${path} is empty`);
  };
}

/** A key that cannot be a header would be quoted in the error of whoever tries to send it. */
function checked(key: string | null, where: string): string | null {
  if (key === null || /^[\x21-\x7e]+$/.test(key)) return key;
  throw unusable(`the model's key ${where} has characters that no key has, such as a line break or a space`);
}

function unusable(message: string, cause?: unknown): ConfigError {
  return new ConfigError(message, {
    code: "model_unauthorized",
    hint: "put the key alone into that file, readable by this user, or mend the model's apiKeyFile in the configuration",
    cause,
  });
}
