/**
 * Secrets as files of this machine, mode 0600 in a directory of mode 0700, with the usual variables of the environment
 * where there is no file. `<name>` is shared, `<instance>/<name>` one instance's own, `….previous` the value before.
 */
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ConfigError, ToolError } from "../errors.ts";
import { isMissing, readFileIfThere, syncDirectory, writeFileDurably } from "../fleet/local/files.ts";
import { instanceNamePattern } from "../fleet/model.ts";
import {
  compareSecrets,
  knownSecrets,
  noPrevious,
  type Secret,
  type SecretInfo,
  type SecretRef,
  type SecretStore,
  secretNameSchema,
  secretPath,
  secretsOf,
} from "./secrets.ts";

const previousSuffix = ".previous";
const asideSuffix = ".aside";
/** What a killed write left is as secret as the secret; one that is still being written is younger. */
const leftoverAgeMs = 60_000;

export function openLocalSecrets(options: { directory: string; environment: NodeJS.ProcessEnv }): SecretStore {
  const { directory, environment } = options;
  const pathOf = (ref: SecretRef): string => join(directory, secretPath(ref));

  const describe = async (ref: SecretRef): Promise<SecretInfo | null> => {
    const path = pathOf(ref);
    const stamp = await stampOf(path);
    if (!stamp) return ref.instance === null ? fromEnvironment(ref.name) : null;
    const previous = (await stampOf(`${path}${previousSuffix}`))?.version ?? null;
    return { name: ref.name, instance: ref.instance, source: "file", ...stamp, previous };
  };

  const fromEnvironment = (name: string): SecretInfo | null => {
    const known = knownSecrets.find((one) => one.name === name);
    if (!known || !environment[known.variable]) return null;
    return {
      name,
      instance: null,
      source: "environment",
      version: `variable ${known.variable}`,
      changedAt: null,
      previous: null,
    };
  };

  const readValue = async (info: SecretInfo): Promise<string | null> => {
    if (info.source !== "environment") return readFileIfThere(pathOf(info));
    const variable = knownSecrets.find((known) => known.name === info.name)?.variable ?? "";
    return environment[variable] ?? null;
  };

  const read = async (ref: SecretRef): Promise<Secret | null> => {
    const info = await describe(ref);
    const value = info && (await readValue(info));
    return info === null || value === null ? null : { info, value };
  };

  const list = async (): Promise<SecretInfo[]> => {
    const refs: SecretRef[] = knownSecrets.map(({ name }) => ({ name, instance: null }));
    for (const entry of await entriesOf(directory)) {
      if (entry.isFile()) refs.push({ name: entry.name, instance: null });
      else if (entry.isDirectory() && instanceNamePattern.test(entry.name)) {
        const files = (await entriesOf(join(directory, entry.name))).filter((one) => one.isFile());
        refs.push(...files.map(({ name }) => ({ name, instance: entry.name })));
      }
    }
    const valid = refs.filter(({ name }) => secretNameSchema.safeParse(name).success);
    const unique = [...new Map(valid.map((ref) => [secretPath(ref), ref])).values()];
    const found = await Promise.all(unique.map(describe));
    return found.filter((info) => info !== null).sort(compareSecrets);
  };

  const write = async (path: string, value: string): Promise<void> => {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await requirePrivate(directory);
    await removeLeftovers(path);
    await writeFileDurably(path, value);
  };

  const requireFile = async (ref: SecretRef, what: string): Promise<void> => {
    if ((await describe(ref))?.source === "file") return;
    throw new ToolError(`there is no secret ${secretPath(ref)} to ${what}`, {
      code: "unknown_secret",
      hint: "`clawdinator secrets list` shows what there is; `clawdinator secrets put` makes one",
    });
  };

  return {
    kind: "local",
    place: directory,
    cost: { monthlyUsdEach: 0, note: "files of this machine" },
    list,
    look: async ({ instance }) => secretsOf(await list(), instance),
    read,

    async put(ref, value, { mustExist = false } = {}) {
      if (mustExist) await requireFile(ref, "rotate");
      const path = pathOf(ref);
      const before = await readFileIfThere(path);
      // Before it is overwritten: a kill in between leaves the same value under both names, which is true.
      if (before !== null && before !== value) await write(`${path}${previousSuffix}`, before);
      if (before !== value) await write(path, value);
      const info = await describe(ref);
      if (!info) throw new Error(`${secretPath(ref)} was removed while it was written`);
      return { info, created: before === null, changed: before !== value };
    },

    async confirm(ref) {
      const path = `${pathOf(ref)}${previousSuffix}`;
      const wasThere = (await stampOf(path)) !== null;
      await rm(path, { force: true });
      if (wasThere) await syncDirectory(dirname(path));
      return wasThere;
    },

    async restore(ref) {
      const path = pathOf(ref);
      const [aside, other] = [`${path}${asideSuffix}`, `${path}${previousSuffix}`];
      const [current, previous] = [await readFileIfThere(path), await readFileIfThere(other)];
      if (current === null || previous === null) throw noPrevious(ref);
      // A kill in between leaves the value that was current aside, and the next attempt goes on from there.
      const isHalfDone = current === previous && (await stampOf(aside)) !== null;
      if (!isHalfDone) {
        await write(aside, current);
        await write(path, previous);
      }
      await rename(aside, other);
      await syncDirectory(dirname(path));
      const info = await describe(ref);
      if (!info) throw noPrevious(ref);
      return info;
    },
  };
}

async function entriesOf(directory: string) {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Null where there is no such file; throws ConfigError where others can read it. */
async function stampOf(path: string): Promise<{ version: string; changedAt: number } | null> {
  try {
    const { mtimeNs, mtimeMs, ino, mode } = await stat(path, { bigint: true });
    if ((mode & 0o077n) !== 0n) throw exposed(path, "600");
    return { version: `${mtimeNs.toString(36)}-${ino.toString(36)}`, changedAt: Number(mtimeMs) };
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

async function requirePrivate(directory: string): Promise<void> {
  const { mode } = await stat(directory);
  if ((mode & 0o077) !== 0) throw exposed(directory, "700");
}

function exposed(path: string, mode: string): ConfigError {
  return new ConfigError(`${path} can be read by other users of this machine`, {
    code: "secret_exposed",
    hint: `\`chmod ${mode} ${path}\`; if others may have read it, make a new value where it comes from`,
  });
}

async function removeLeftovers(path: string): Promise<void> {
  const directory = dirname(path);
  for (const { name } of await entriesOf(directory)) {
    if (!name.endsWith(".tmp")) continue;
    const leftover = join(directory, name);
    const age = Date.now() - ((await stat(leftover).catch(() => null))?.mtimeMs ?? Date.now());
    if (age > leftoverAgeMs) await rm(leftover, { force: true });
  }
}
