/** Reading a name's workspace, with the program's own files where the name has none. */
import { constants } from "node:fs";
import { lstat, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { readRecord, type SeedRecord } from "./record.ts";
import { programWorkspace, renderTemplate, type TemplateValues } from "./template.ts";

/** A text that people write for a model is far smaller; more is a mistake. */
const largestFileBytes = 256 * 1024;

export interface WorkspaceFiles {
  /** A file's text by its path below the workspace; null where there is none, or somebody deleted it. */
  read(path: string): Promise<string | null>;
  /** Names of what lies in a folder, hidden things left out, sorted. */
  list(folder: string): Promise<string[]>;
}

export type Look = { state: "file"; text: string } | { state: "missing" } | { state: "blocked"; reason: string };

/**
 * The text at a path below `directory`. Links are not followed and only ordinary files are read, so what is read lies
 * where it seems to. Never throws.
 */
export async function lookAt(directory: string, path: string): Promise<Look> {
  const parts = path.split("/");
  if (parts.some((part) => part === "" || part === "." || part === ".."))
    return { state: "blocked", reason: "not a path below the workspace" };
  try {
    for (let depth = 0; depth < parts.length; depth++) {
      const folder = join(directory, ...parts.slice(0, depth));
      if (!(await lstat(folder)).isDirectory()) return { state: "blocked", reason: `${folder} is not a directory` };
    }
    const file = join(directory, path);
    if (!(await lstat(file)).isFile()) return { state: "blocked", reason: `${file} is not an ordinary file` };
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = await handle.stat();
      if (size > largestFileBytes)
        return { state: "blocked", reason: `${file} is larger than ${largestFileBytes} bytes` };
      return { state: "file", text: await handle.readFile("utf8") };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === "ENOENT" ? { state: "missing" } : { state: "blocked", reason: message };
  }
}

/** `directory` undefined: the program's own files only. */
export function openWorkspace(options: { directory: string | undefined; values: TemplateValues }): WorkspaceFiles {
  const { directory, values } = options;
  const own = directory === undefined || directory === programWorkspace ? null : directory;
  let record: Promise<SeedRecord | null> | null = null;

  async function wasDeleted(path: string): Promise<boolean> {
    if (own === null) return false;
    record ??= readRecord(own).catch(() => null);
    return (await record)?.files[path]?.placed ?? false;
  }

  return {
    async read(path) {
      const look: Look = own === null ? { state: "missing" } : await lookAt(own, path);
      if (look.state === "file") return look.text;
      if (look.state === "missing" && (await wasDeleted(path))) return null;
      const template = await lookAt(programWorkspace, path);
      return template.state === "file" ? renderTemplate(template.text, values) : null;
    },
    async list(folder) {
      const names = new Set<string>();
      for (const root of own === null ? [programWorkspace] : [own, programWorkspace]) {
        for (const name of await readdir(join(root, folder)).catch(() => [])) names.add(name);
      }
      return [...names].filter((name) => !name.startsWith(".")).sort();
    },
  };
}
