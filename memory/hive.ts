/** The memory over one directory: revisions as the truth, views for people, an index for search. */
import { randomBytes } from "node:crypto";
import { mkdirSync, watch as watchDirectory } from "node:fs";
import { stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { checkDocumentName, checkText, documentNameProblem } from "./documents.ts";
import { MemoryError } from "./errors.ts";
import { type Folded, fold, upTo } from "./fold.ts";
import { findDocuments } from "./list.ts";
import { loadRevisions, putRevision, type Revision } from "./revisions.ts";
import { openSearchIndex, type SearchIndex } from "./search.ts";
import { findSecret } from "./secrets.ts";
import type { Memory, MemoryDocument, MemoryRevision, Provenance } from "./types.ts";
import { readView, renderView, replaceView, type View } from "./view.ts";

export interface MemoryOptions {
  /** The directory that the documents lie in; made when the first document is written. */
  directory: string;
  /** Who writes through this handle, such as the instance's id: letters, digits, `.`, `_` and `-`. */
  writer: string;
  /** Local directory for the search index; without it the index lives in memory. */
  index?: string;
}

/** Another writer may put a revision between our reading and our view; each round means that one did. */
const viewRounds = 20;
const defaultMatches = 10;
const watchQuietMs = 50;

/** Opens the memory. Nothing is read or written before the first call. Every method throws MemoryError. */
export function openMemory(options: MemoryOptions): Memory {
  const { directory, writer } = options;
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(writer)) {
    throw new MemoryError(`${JSON.stringify(writer)} cannot be a writer's name`, {
      code: "writer_name",
      hint: "use letters, digits, `.`, `_` and `-`",
    });
  }
  const known = new Map<string, Map<string, Revision>>();
  /** What this handle last gave its caller of a document: the base of a whole-text write. */
  const seen = new Map<string, string[]>();
  const queues = new Map<string, Promise<unknown>>();
  let index: Promise<SearchIndex> | null = null;

  /** One step at a time for each document in this process; other processes are met through the revisions. */
  function inTurn<T>(document: string, work: () => Promise<T>): Promise<T> {
    const turn = (queues.get(document) ?? Promise.resolve()).then(work, work);
    const settled = turn
      .catch(() => undefined)
      .finally(() => {
        if (queues.get(document) === settled) queues.delete(document);
      });
    queues.set(document, settled);
    return turn;
  }

  async function load(document: string): Promise<Map<string, Revision>> {
    const revisions = known.get(document) ?? new Map<string, Revision>();
    await loadRevisions(directory, document, revisions);
    if (revisions.size > 0) known.set(document, revisions);
    return revisions;
  }

  /** Takes in what a person changed in the view. Every host that sees the same file makes the same revision. */
  async function takeIn(document: string, view: View): Promise<void> {
    if (view.state !== "edited" && view.state !== "foreign") return;
    const revisions = await load(document);
    const current = fold(revisions);
    if (view.body === current.text) return;
    // Without our comment line nothing says what the person had seen, so nothing is replaced.
    const parents = view.state === "edited" ? view.shown : [];
    const lamport = 1 + Math.max(0, ...parents.map((parent) => revisions.get(parent)?.lamport ?? 0));
    await putRevision(directory, {
      document,
      kind: "full",
      text: view.body,
      parents,
      lamport,
      writer: "hand",
      author: "hand edit",
      source: document,
      trust: "self",
      at: 0,
      nonce: "",
    });
  }

  /** The document as all revisions have it, with the view brought up to date. */
  async function current(document: string): Promise<Folded> {
    const path = join(directory, document);
    for (let round = 0; ; round++) {
      const view = await readView(path);
      await takeIn(document, view);
      const folded = fold(await load(document));
      if (folded.shown.length === 0) return folded;
      // A deleted document keeps an empty view, so that its deletion is as visible as a text.
      const file = renderView(folded.text ?? "", folded.shown);
      if ((view.state !== "absent" && view.file === file) || round >= viewRounds) return folded;
      const edited = await replaceView(path, file, view);
      if (edited) await takeIn(document, edited);
    }
  }

  function remember(document: string, folded: Folded): MemoryDocument | null {
    seen.set(document, folded.shown);
    if (folded.text === null || folded.newest === null) return null;
    const { newest, trust, text } = folded;
    return { document, text, revision: newest.revision, author: newest.author, trust };
  }

  async function put(
    document: string,
    change: { kind: "full" | "append"; text: string; parents: string[] },
    provenance: Provenance,
  ): Promise<MemoryDocument> {
    const secret = findSecret(change.text);
    if (secret) {
      throw new MemoryError(`the text for ${document} looks like it holds ${secret.kind} (line ${secret.line})`, {
        code: "secret_refused",
        hint: "memory is read by every sibling: leave the secret out and name the place where it is kept",
      });
    }
    const revisions = await load(document);
    const lamport = 1 + Math.max(0, ...[...revisions.values()].map((revision) => revision.lamport));
    const written = await putRevision(directory, {
      ...change,
      ...provenance,
      document,
      lamport,
      writer,
      at: Date.now(),
      nonce: randomBytes(6).toString("hex"),
    });
    revisions.set(written.revision, written);
    known.set(document, revisions);
    const result = remember(document, await current(document));
    if (result === null) throw new Error(`${document} vanished while it was written`);
    return result;
  }

  async function append(document: string, text: string, provenance: Provenance): Promise<MemoryDocument> {
    const folded = await current(document);
    const added = text.endsWith("\n") ? text : `${text}\n`;
    checkText(document, (folded.text ?? "") + added);
    const mine = folded.appends.filter((revision) => revision.writer === writer).at(-1);
    const parents = [...folded.heads.map((head) => head.revision), ...(mine ? [mine.revision] : [])];
    return put(document, { kind: "append", text: added, parents }, provenance);
  }

  async function everything(): Promise<{ document: string; folded: Folded }[]> {
    const result: { document: string; folded: Folded }[] = [];
    for (const document of await findDocuments(directory)) {
      const folded = await inTurn(document, () => current(document));
      if (folded.text !== null) result.push({ document, folded });
    }
    return result;
  }

  return {
    async read(document) {
      checkDocumentName(document);
      return inTurn(document, async () => remember(document, await current(document)));
    },
    async write(document, text, provenance) {
      checkDocumentName(document);
      checkText(document, text);
      return inTurn(document, async () => {
        const parents = seen.get(document) ?? (await current(document)).shown;
        return put(document, { kind: "full", text, parents }, provenance);
      });
    },
    async append(document, text, provenance) {
      checkDocumentName(document);
      return inTurn(document, () => append(document, text, provenance));
    },
    async edit(document, change, provenance) {
      checkDocumentName(document);
      return inTurn(document, async () => {
        const folded = await current(document);
        const text = replaceOnce(document, folded.text, change);
        checkText(document, text);
        return put(document, { kind: "full", text, parents: folded.shown }, provenance);
      });
    },
    async search(query, searchOptions = {}) {
      index ??= openSearchIndex(options.index ?? null);
      const opened = await index;
      const documents = await everything();
      opened.refresh(
        documents.map(({ document, folded }) => ({
          document,
          text: folded.text ?? "",
          trust: folded.trust,
          state: folded.shown.join(","),
        })),
      );
      return opened.search(query, searchOptions.limit ?? defaultMatches);
    },
    async history(document) {
      checkDocumentName(document);
      return inTurn(document, async () => {
        await current(document);
        const revisions = [...(await load(document)).values()];
        revisions.sort((a, b) => b.lamport - a.lamport || (a.revision < b.revision ? 1 : -1));
        return revisions.map(({ text: _text, ...revision }): MemoryRevision => revision);
      });
    },
    async restore(document, revision, provenance) {
      checkDocumentName(document);
      return inTurn(document, async () => {
        const folded = await current(document);
        const revisions = await load(document);
        const text = revisions.has(revision) ? fold(upTo(revisions, revision)).text : null;
        if (text === null) {
          throw new MemoryError(`${document} has no text at revision ${revision}`, {
            code: "revision_unknown",
            hint: `list its revisions with the history of ${document}`,
          });
        }
        return put(document, { kind: "full", text, parents: folded.shown }, provenance);
      });
    },
    async list() {
      const documents = await everything();
      return Promise.all(
        documents.map(async ({ document, folded }) => ({
          document,
          bytes: Buffer.byteLength(folded.text ?? ""),
          at: Math.max(...[...folded.heads, ...folded.appends].map(({ at }) => at)) || (await changedAt(document)),
        })),
      );
    },
    watch(onChange) {
      mkdirSync(directory, { recursive: true });
      const changed = new Set<string>();
      let timer: NodeJS.Timeout | null = null;
      const watcher = watchDirectory(directory, { recursive: true, persistent: false }, (_event, name) => {
        const document = name === null ? null : documentOf(name);
        if (document === null) return;
        changed.add(document);
        timer ??= setTimeout(() => {
          timer = null;
          const documents = [...changed];
          changed.clear();
          for (const each of documents) onChange(each);
        }, watchQuietMs);
      });
      return () => {
        watcher.close();
        if (timer) clearTimeout(timer);
      };
    },
    async close() {
      await Promise.all(queues.values());
      if (index) (await index).close();
      index = null;
    },
  };

  async function changedAt(document: string): Promise<number> {
    return stat(join(directory, document)).then(
      (file) => Math.round(file.mtimeMs),
      () => 0,
    );
  }
}

function replaceOnce(document: string, text: string | null, change: { before: string; after: string }): string {
  const refuse = (why: string, hint: string) =>
    new MemoryError(`cannot edit ${document}: ${why}`, { code: "edit_refused", hint });
  if (text === null) throw refuse("there is no such document", "write it first, or list the documents");
  if (change.before === "") throw refuse("the text to replace is empty", "give the exact text that shall be replaced");
  const at = text.indexOf(change.before);
  if (at < 0) throw refuse("the text to replace does not occur", "read the document and copy the text exactly");
  if (text.indexOf(change.before, at + 1) >= 0) {
    throw refuse("the text to replace occurs more than once", "add the text around it until it occurs once");
  }
  return text.slice(0, at) + change.after + text.slice(at + change.before.length);
}

/** The document that a changed path belongs to: its view, or one of its revisions. */
function documentOf(path: string): string | null {
  const parts = path.split(sep);
  const document = parts[0] === ".hive" ? parts.slice(1, -1).join("/") : parts.join("/");
  return documentNameProblem(document) === null ? document : null;
}
