/** The first documents of a new memory, from `memory/seed/`. */
import { readdir, readFile } from "node:fs/promises";
import { realFiles } from "./files.ts";
import { Folders } from "./folders.ts";
import { Store } from "./store.ts";
import type { Memory } from "./types.ts";

const seedDirectory = new URL("./seed/", import.meta.url);

/**
 * Copies each seed document once: never over one that exists, nor over one that someone deleted. Every host makes the same
 * revision of it, so that two that begin at once, or one whose listing is old, put it there once. Returns what was new.
 */
export async function seedMemory(memory: Memory): Promise<string[]> {
  const files = realFiles();
  const { directory } = memory;
  const folders = new Folders(files, directory);
  const store = new Store({ directory, files, folders, onProblem: () => undefined });
  const seeded: string[] = [];
  for (const document of (await readdir(seedDirectory)).filter((file) => file.endsWith(".md")).sort()) {
    // What somebody put there by hand is taken in first, and counts.
    if ((await memory.history(document)).length > 0) continue;
    await folders.checkCase(document);
    await store.put({
      document,
      kind: "full",
      text: await readFile(new URL(document, seedDirectory), "utf8"),
      parents: [],
      lamport: 1,
      writer: "seed",
      author: "seed",
      source: `memory/seed/${document}`,
      trust: "maintainer",
      at: 0,
      nonce: "",
    });
    await memory.read(document);
    seeded.push(document);
  }
  return seeded;
}
