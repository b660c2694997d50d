/** The revisions of the documents, as this host knows them: what listings show, what those name, and its own. */
import { join } from "node:path";
import { asMemoryError, MemoryError } from "./errors.ts";
import { isMissing, type MemoryFiles, steady, writeWhole } from "./files.ts";
import { Folder } from "./fold.ts";
import type { Folders } from "./folders.ts";
import { RevisionSet } from "./graph.ts";
import { mapBounded, Turns } from "./parallel.ts";
import {
  type Damage,
  decodeRevision,
  encodeRevision,
  isDamage,
  isRevisionId,
  maxRevisionBytes,
  type NewRevision,
  type Revision,
  revisionFolder,
  revisionOfFile,
} from "./revisions.ts";
import type { MemoryProblem, MemoryRevision } from "./types.ts";

export interface DocumentState {
  document: string;
  set: RevisionSet;
  folder: Folder;
  /** Revisions whose files cannot be used. */
  damaged: Map<string, Damage>;
  /** Revisions that others name as their parents and that are not there. */
  lost: Set<string>;
  /** Bytes of the text as far as known: what was folded last, and what was added since. */
  bytes: number;
}

export interface StoreOptions {
  directory: string;
  files: MemoryFiles;
  folders: Folders;
  onProblem: (problem: MemoryProblem) => void;
}

/** Documents whose revisions are held; beyond it the one that was not asked for longest is let go. */
const maxStates = 1_000;
/** Characters of texts that are held, over all documents; others are read again when they are asked for. */
const heldCharacters = 32 * 1024 * 1024;
/** What makes one file unusable, whereas anything else is trouble with the whole directory. */
const damageCodes = new Set(["EISDIR", "ELOOP", "EFBIG", "EACCES", "EPERM", "EIO"]);

export class Store {
  readonly #options: StoreOptions;
  readonly #states = new Map<string, DocumentState>();
  /** Acknowledged by this handle and not seen in a listing yet. */
  readonly #own = new Map<string, Set<string>>();
  readonly #texts = new Map<MemoryRevision, string>();
  #held = 0;
  readonly #turns = new Turns();
  readonly #waiting = new Map<string, Promise<DocumentState>>();

  constructor(options: StoreOptions) {
    this.#options = options;
  }

  /** What is known of a document without asking the disk; undefined when it was not loaded yet. */
  known(document: string): DocumentState | undefined {
    const state = this.#states.get(document);
    if (state !== undefined) {
      this.#states.delete(document);
      this.#states.set(document, state);
    }
    return state;
  }

  /**
   * What is known of a document after listing it now, and opening what revisions name and the listing does not show
   * (a listing over NFS may be a minute old; an open is not).
   */
  async load(document: string, named: string[] = []): Promise<DocumentState> {
    // A listing that began before this call may miss what was written before it, one that is yet to begin does not.
    let waiting = this.#waiting.get(document);
    if (waiting === undefined) {
      waiting = this.#turns.take(document, () => {
        this.#waiting.delete(document);
        return this.#list(document);
      });
      this.#waiting.set(document, waiting);
    }
    const state = await waiting;
    const unknown = named.filter((revision) => isRevisionId(revision) && !state.set.has(revision));
    if (unknown.length > 0) {
      await this.#readInto(state, unknown);
      await this.#readMissing(state);
    }
    return state;
  }

  async #list(document: string): Promise<DocumentState> {
    const state = this.known(document) ?? this.#create(document);
    const folder = revisionFolder(this.#options.directory, document);
    const wanted: string[] = [];
    const own = this.#own.get(document);
    try {
      for (const { name } of await steady(() => this.#options.files.list(folder))) {
        const revision = revisionOfFile(name);
        if (revision === null) continue;
        if (!state.set.has(revision)) wanted.push(revision);
        own?.delete(revision);
      }
    } catch (error) {
      if (!isMissing(error)) throw asMemoryError(error, `cannot list the revisions of ${document}`);
    }
    for (const revision of own ?? []) if (!state.set.has(revision)) wanted.push(revision);
    if (own?.size === 0) this.#own.delete(document);
    await this.#readInto(state, wanted.sort());
    await this.#readMissing(state);
    return state;
  }

  #create(document: string): DocumentState {
    const set = new RevisionSet();
    const state: DocumentState = {
      document,
      set,
      folder: new Folder(set, (revision) => this.#texts.get(revision) ?? this.#readText(document, revision)),
      damaged: new Map(),
      lost: new Set(),
      bytes: 0,
    };
    this.#states.set(document, state);
    for (const oldest of this.#states.keys()) {
      if (this.#states.size <= maxStates) break;
      this.#states.delete(oldest);
    }
    return state;
  }

  async #readMissing(state: DocumentState): Promise<void> {
    const tried = new Set<string>();
    for (;;) {
      const missing = state.set.missing().filter((revision) => !tried.has(revision));
      if (missing.length === 0) break;
      for (const revision of missing) tried.add(revision);
      await this.#readInto(state, missing);
    }
    state.lost = new Set(state.set.missing().filter((revision) => !state.damaged.has(revision)));
  }

  async #readInto(state: DocumentState, revisions: string[]): Promise<void> {
    const found = await mapBounded(revisions, (revision) => this.#readOne(state.document, revision));
    for (const [at, one] of found.entries()) {
      const revision = revisions[at] as string;
      if (one === null) continue;
      if (isDamage(one)) this.#reportDamage(state, revision, one);
      else {
        state.damaged.delete(revision);
        this.#add(state, one);
      }
    }
  }

  #reportDamage(state: DocumentState, revision: string, damage: Damage): void {
    const isNew = !state.damaged.has(revision);
    state.damaged.set(revision, damage);
    if (isNew) this.#options.onProblem({ document: state.document, revision, ...damage });
  }

  #add(state: DocumentState, { text, ...revision }: Revision): MemoryRevision {
    if (state.set.has(revision.revision)) return revision;
    state.set.add(revision);
    this.#hold(revision, text);
    return revision;
  }

  #hold(revision: MemoryRevision, text: string): void {
    this.#texts.set(revision, text);
    this.#held += text.length;
    for (const [oldest, { length }] of this.#texts) {
      if (this.#held <= heldCharacters) break;
      this.#texts.delete(oldest);
      this.#held -= length;
    }
  }

  /** Null when there is no such file. */
  async #readOne(document: string, revision: string): Promise<Revision | Damage | null> {
    const path = join(revisionFolder(this.#options.directory, document), `${revision}.md`);
    try {
      const file = await steady(() => this.#options.files.read(path, maxRevisionBytes));
      return decodeRevision(document, revision, file);
    } catch (error) {
      if (isMissing(error)) return null;
      const { code = "" } = error as NodeJS.ErrnoException;
      if (!damageCodes.has(code)) throw asMemoryError(error, `cannot read ${document}, revision ${revision}`);
      return { problem: `cannot be read (${code})`, hint: `look at ${path}; restore the file from a snapshot` };
    }
  }

  async #readText(document: string, revision: MemoryRevision): Promise<string> {
    const found = await this.#readOne(document, revision.revision);
    if (found === null || isDamage(found)) {
      const why = found === null ? "its file is gone" : `it ${found.problem}`;
      throw new MemoryError(`cannot read ${document}, revision ${revision.revision}: ${why}`, {
        code: "revision_unreadable",
        hint: "restore the file from a snapshot; `memory check` tells what else is amiss",
      });
    }
    this.#hold(revision, found.text);
    return found.text;
  }

  /** Writes a revision: it is on disk when this is done. The same content again is the same file. */
  async put(content: NewRevision): Promise<MemoryRevision> {
    const { document } = content;
    const { directory, files, folders } = this.#options;
    const { revision, file } = encodeRevision(content);
    const folder = revisionFolder(directory, document);
    const path = join(folder, `${revision}.md`);
    const state = this.known(document) ?? this.#create(document);
    try {
      // Whoever wrote a revision before had flushed the folders above it.
      if (state.set.size === 0) await folders.make(folder);
      await writeWhole(path, file, files).catch(async (error) => {
        if (!isMissing(error)) throw error;
        await folders.make(folder);
        await writeWhole(path, file, files);
      });
    } catch (error) {
      throw asMemoryError(error, `cannot write ${document}`);
    }
    const own = this.#own.get(document) ?? new Set();
    this.#own.set(document, own.add(revision));
    const { nonce: _nonce, ...rest } = content;
    return this.#add(state, { ...rest, revision, bytes: Buffer.byteLength(content.text) });
  }
}
