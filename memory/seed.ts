/** The first documents of a new memory, from `memory/seed/`. */
import { readdir, readFile } from "node:fs/promises";
import type { Memory } from "./types.ts";

const seedDirectory = new URL("./seed/", import.meta.url);

/** Copies each seed document once: never over one that exists, nor over one that someone deleted. */
export async function seedMemory(memory: Memory): Promise<string[]> {
  const seeded: string[] = [];
  for (const name of (await readdir(seedDirectory)).filter((file) => file.endsWith(".md")).sort()) {
    if ((await memory.history(name)).length > 0) continue;
    const text = await readFile(new URL(name, seedDirectory), "utf8");
    await memory.write(name, text, { author: "seed", source: `memory/seed/${name}`, trust: "maintainer" });
    seeded.push(name);
  }
  return seeded;
}
