/**
 * A directory of secret files for the processes of this instance, best on a tmpfs: one file a secret, mode 0400, put in
 * place as a whole. Only what was written here is ever removed here; other files of the directory are left alone.
 */
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError } from "../../tools/errors.ts";
import { secretNameSchema } from "../../tools/secrets/secrets.ts";

const recordSchema = z.object({ formatVersion: z.literal(1), names: z.array(secretNameSchema) });

export interface SecretsDirectory {
  path: string;
  /** Makes the directory where it is missing. Throws ConfigError where others could read or change what lies in it. */
  prepare(): void;
  fileOf(name: string): string;
  has(name: string): boolean;
  /** Returns whether the file had another content. */
  write(name: string, value: string): boolean;
  remove(name: string): void;
  /** What was written here and not removed, also by an earlier process. */
  written(): string[];
}

export function openSecretsDirectory(options: {
  path: string;
  /** Of file names, so that the files are told from others'. */
  prefix: string;
  /** Secrets that the directory's group may read too, such as the model key that the mind's user needs. */
  groupReadable?: readonly string[];
}): SecretsDirectory {
  const { path, prefix, groupReadable = [] } = options;
  const record = join(path, `.${prefix}secrets.json`);
  const temporaryPrefix = `.${prefix}new-`;
  const fileOf = (name: string): string => join(path, `${prefix}${name}`);

  const replace = (target: string, text: string, mode: number): void => {
    const temporary = join(path, `${temporaryPrefix}${randomBytes(6).toString("hex")}`);
    // Exclusive, so that nothing that somebody put there is followed or kept open.
    const descriptor = openSync(temporary, "wx", 0o600);
    try {
      writeSync(descriptor, text);
      fchmodSync(descriptor, mode);
      fsyncSync(descriptor);
      closeSync(descriptor);
      renameSync(temporary, target);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  };

  const written = (): string[] => {
    try {
      return recordSchema.parse(JSON.parse(readFileSync(record, "utf8"))).names;
    } catch {
      // Missing, or not ours to understand: then nothing there is ours to remove.
      return [];
    }
  };
  const writeRecord = (names: readonly string[]): void =>
    replace(record, `${JSON.stringify({ formatVersion: 1, names: [...new Set(names)].sort() })}\n`, 0o600);

  return {
    path,
    fileOf,
    written,
    has: (name) => existsSync(fileOf(name)),

    prepare() {
      const isNew = mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined;
      if (isNew) chmodSync(path, groupReadable.length > 0 ? 0o750 : 0o700);
      requirePrivate(path, groupReadable.length > 0);
      // What a killed write left; there is one writer.
      for (const name of readdirSync(path)) {
        if (name.startsWith(temporaryPrefix)) rmSync(join(path, name), { force: true });
      }
    },

    write(name, value) {
      if (readOrNull(fileOf(name)) === value) return false;
      // Known before it is there, so that a kill in between leaves no file that nobody removes.
      if (!written().includes(name)) writeRecord([...written(), name]);
      replace(fileOf(name), value, groupReadable.includes(name) ? 0o440 : 0o400);
      return true;
    },

    remove(name) {
      rmSync(fileOf(name), { force: true });
      writeRecord(written().filter((one) => one !== name));
    },
  };
}

function requirePrivate(path: string, isGroupAllowed: boolean): void {
  const stat = lstatSync(path);
  const refuse = (problem: string): never => {
    throw new ConfigError(`${path} ${problem}, so no secret is put there`, {
      code: "unsafe_secrets_directory",
      hint: `give it to this user alone: \`install -d -m 0700 -o $(id -un) ${path}\`, or name another directory`,
    });
  };
  if (!stat.isDirectory()) refuse("is not a directory");
  if (stat.uid !== (process.getuid?.() ?? stat.uid)) refuse("belongs to another user");
  if ((stat.mode & (isGroupAllowed ? 0o027 : 0o077)) !== 0) refuse("is open to other users");
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
