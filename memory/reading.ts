/** A document as all its revisions have it, with what people changed in its view. */
import { join } from "node:path";
import { checkDocumentName } from "./documents.ts";
import { asMemoryError } from "./errors.ts";
import type { MemoryFiles } from "./files.ts";
import { isMissing, steady } from "./files.ts";
import type { Folded } from "./fold.ts";
import type { Folders } from "./folders.ts";
import { type HandEditProblem, takeIn } from "./hand-edits.ts";
import { findDocuments } from "./list.ts";
import { isConflicted } from "./merge.ts";
import { revisionFolder } from "./revisions.ts";
import type { DocumentSource } from "./search-source.ts";
import type { DocumentState, Store } from "./store.ts";
import type { MemoryDocument } from "./types.ts";
import { readView } from "./view.ts";
import { showsAll, type Views } from "./views.ts";

export interface Current {
  state: DocumentState;
  folded: Folded;
  /** Why an edit by hand is not in it. */
  problem: HandEditProblem;
}

export interface Reading extends DocumentSource {
  /**
   * Exact: it lists what is there now. `keepsView` (default) has the view renewed where it shows something else; nobody
   * waits for that.
   */
  current(document: string, options?: { keepsView?: boolean }): Promise<Current>;
}

export interface ReadingOptions {
  directory: string;
  files: MemoryFiles;
  folders: Folders;
  store: Store;
  views: Views;
}

export function openReading({ directory, files, folders, store, views }: ReadingOptions): Reading {
  async function current(document: string, { keepsView = true } = {}): Promise<Current> {
    checkDocumentName(document);
    try {
      await views.adopt();
      await folders.checkLinks(document);
      const view = await readView(files, join(directory, document));
      const problem = await takeIn(store, document, view);
      // What a view names may be newer than what a listing shows.
      const state = await store.load(document, "shown" in view ? view.shown : []);
      const folded = await state.folder.fold();
      state.bytes = Buffer.byteLength(folded.text ?? "");
      const mayRenew = keepsView && problem === null && view.state !== "busy" && folded.frontier.length > 0;
      if (mayRenew && !showsAll(view, folded.text, folded.frontier)) views.changed(document);
      return { state, folded, problem };
    } catch (error) {
      throw asMemoryError(error, `cannot read ${document}`);
    }
  }

  async function signatureOf(path: string): Promise<string> {
    try {
      return (await steady(() => files.status(path))).signature;
    } catch (error) {
      if (isMissing(error)) return "";
      throw error;
    }
  }

  return {
    current,
    documents: () => findDocuments(files, directory),
    async signature(document) {
      const revisions = await signatureOf(revisionFolder(directory, document));
      const view = await signatureOf(join(directory, document));
      return revisions === "" && view === "" ? null : `${revisions}/${view}`;
    },
    async load(document) {
      const { folded } = await current(document, { keepsView: false });
      const { text, newest, trust } = folded;
      if (newest === null) return null;
      const { revision, author, source } = newest;
      const at = Math.max(...[...folded.heads, ...folded.appends].map((one) => one.at));
      return { document, text, revision, author, source, at, trust, isConflicted: isConflicted(text ?? "") };
    },
  };
}

/** What a reader is given; null when there is no such document. */
export function describeDocument(document: string, { folded, problem }: Current): MemoryDocument | null {
  const { text, newest, trust, frontier } = folded;
  if (text === null || newest === null) return null;
  const { revision, author } = newest;
  const found = { document, text, revision, author, trust, shown: frontier, isConflicted: isConflicted(text) };
  return problem === null ? found : { ...found, notice: `${problem.problem}; ${problem.hint}` };
}
