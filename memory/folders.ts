/**
 * The folders that a document lies in. No link is followed anywhere below the memory's directory, and no name is taken
 * that a disk without upper and lower case would confuse with another one.
 */
import { basename, dirname, join } from "node:path";
import { MemoryError } from "./errors.ts";
import { isMissing, type MemoryFiles, steady } from "./files.ts";

/** A listing is used so long for the names beside a new document; measured, not by the clock. */
const listingAgeMs = 1_000;
/** Folders whose listing is kept. */
const maxListings = 50;

export class Folders {
  readonly #files: MemoryFiles;
  readonly #directory: string;
  readonly #listings = new Map<string, { at: number; names: Map<string, string> }>();

  constructor(files: MemoryFiles, directory: string) {
    this.#files = files;
    this.#directory = directory;
  }

  /**
   * Refuses a document that lies behind a link, or whose place something else takes. Throws MemoryError
   * `document_link` and `document_blocked`.
   */
  async checkLinks(document: string): Promise<void> {
    for (const root of [this.#directory, join(this.#directory, ".hive")]) {
      if (root !== this.#directory && (await this.#kindOf(root, document, "directory")) === null) continue;
      const parts = document.split("/");
      for (const depth of parts.keys()) {
        const isView = root === this.#directory && depth === parts.length - 1;
        const path = join(root, ...parts.slice(0, depth + 1));
        if ((await this.#kindOf(path, document, isView ? "file" : "directory")) === null) break;
      }
    }
  }

  async #kindOf(path: string, document: string, wanted: "file" | "directory"): Promise<string | null> {
    let kind: string;
    try {
      ({ kind } = await steady(() => this.#files.status(path)));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
    if (kind === wanted) return kind;
    const place = path.slice(this.#directory.length + 1);
    if (kind === "link") {
      throw new MemoryError(`${document} is refused: ${place} is a link`, {
        code: "document_link",
        hint: "the memory follows no links: put the file itself there, or take the link away",
      });
    }
    throw new MemoryError(`${document} is refused: ${place} is no ${wanted === "file" ? "file" : "folder"}`, {
      code: "document_blocked",
      hint: `move ${place} away`,
    });
  }

  /** Refuses a new document whose name differs from one that is there only in upper and lower case. */
  async checkCase(document: string): Promise<void> {
    for (const root of [this.#directory, join(this.#directory, ".hive")]) {
      for (let path = document; path !== "."; path = dirname(path)) {
        const name = basename(path);
        const there = (await this.#names(join(root, dirname(path)))).get(name.toLowerCase());
        if (there === undefined || there === name) continue;
        throw new MemoryError(`${document} is refused: ${join(dirname(path), there)} differs only in case`, {
          code: "document_case",
          hint: `use the name that is there: ${join(dirname(path), there)}`,
        });
      }
    }
  }

  async #names(folder: string): Promise<Map<string, string>> {
    const kept = this.#listings.get(folder);
    if (kept !== undefined && performance.now() - kept.at < listingAgeMs) return kept.names;
    const names = new Map<string, string>();
    try {
      for (const { name } of await steady(() => this.#files.list(folder))) names.set(name.toLowerCase(), name);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    if (this.#listings.size >= maxListings) this.#listings.clear();
    this.#listings.set(folder, { at: performance.now(), names });
    return names;
  }

  /** Makes the folder of a path below the memory's directory; each new folder's own entry is on disk afterwards. */
  async make(folder: string): Promise<void> {
    const missing: string[] = [];
    for (let path = folder; ; path = dirname(path)) {
      missing.push(path);
      try {
        await this.#files.makeDirectory(path);
        break;
      } catch (error) {
        // Another writer may have made it a moment ago and not flushed it yet: its entry is flushed below all the same.
        if ((error as NodeJS.ErrnoException).code === "EEXIST") break;
        if (!isMissing(error) || path === dirname(path)) throw error;
      }
    }
    for (const path of missing.slice(0, -1).reverse()) {
      await this.#files.makeDirectory(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
    }
    for (let path = dirname(folder); path.length >= this.#directory.length; path = dirname(path)) {
      await steady(() => this.#files.syncDirectory(path));
      if (path === dirname(path)) break;
    }
    for (const path of missing)
      this.#listings.get(dirname(path))?.names.set(basename(path).toLowerCase(), basename(path));
  }
}
