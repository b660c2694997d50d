/** New revisions: what each kind of write says, and what it says that its author had seen. */
import { randomBytes } from "node:crypto";
import { checkDocumentName, checkText } from "./documents.ts";
import { asMemoryError, MemoryError } from "./errors.ts";
import { type Folded, lowestTrust } from "./fold.ts";
import type { Folders } from "./folders.ts";
import { Turns } from "./parallel.ts";
import type { Current, Reading } from "./reading.ts";
import type { NewRevision } from "./revisions.ts";
import { findSecret } from "./secrets.ts";
import type { DocumentState, Store } from "./store.ts";
import type { Memory, MemoryRevision, MemoryWritten, Provenance } from "./types.ts";
import type { Views } from "./views.ts";

type Writes = Pick<Memory, "write" | "append" | "edit" | "remove" | "rename" | "restore">;

export interface Writing extends Writes {
  /** Notes what the caller was given: the base of its next whole text. */
  gave(document: string, folded: Folded): void;
  /** Until all writes that were begun are done. */
  end(): Promise<void>;
}

export interface WritingOptions {
  writer: string;
  folders: Folders;
  store: Store;
  views: Views;
  reading: Reading;
  /** Called after each write of this handle. */
  onWritten(document: string): void;
}

/** What the caller of this handle has seen of a document. */
interface Seen {
  frontier: string[];
  heads: string[];
}

interface Change {
  kind: "full" | "append" | "delete";
  text: string;
  parents: string[];
  /** What the document holds: lines that stand there may stay. */
  before?: string;
  movedTo?: string;
  movedFrom?: string;
}

export function openWriting({ writer, folders, store, views, reading, onWritten }: WritingOptions): Writing {
  const seen = new Map<string, Seen>();
  /** Own last append, where no full text that was given since includes it. */
  const lastAppend = new Map<string, string | null>();
  const turns = new Turns();

  /** One write at a time for each document in this process; other processes are met through the revisions. */
  function inTurn<T>(document: string, work: () => Promise<T>): Promise<T> {
    checkDocumentName(document);
    return turns.take(document, work);
  }

  async function put(state: DocumentState, change: Change, provenance: Provenance): Promise<MemoryRevision> {
    const { document } = state;
    const { before, ...content } = change;
    checkText(document, change.text);
    const { author, source, trust } = provenance;
    const secret = findSecret(change.text, { trust, ...(before === undefined ? {} : { before }) });
    if (secret) {
      throw new MemoryError(`the text for ${document} looks like it holds ${secret.kind} (line ${secret.line})`, {
        code: "secret_refused",
        hint: "memory is read by every sibling: leave the secret out and name the place where it is kept",
        place: secret,
      });
    }
    if (state.set.size === 0) await folders.checkCase(document);
    const revision: NewRevision = {
      ...content,
      author,
      source,
      trust,
      document,
      lamport: state.set.highest + 1,
      writer,
      at: Date.now(),
      nonce: randomBytes(6).toString("hex"),
    };
    const written = await store.put(revision);
    if (change.kind !== "append") state.bytes = written.bytes;
    views.changed(document, written.revision);
    onWritten(document);
    return written;
  }

  /** A full text that takes the place of all that is there now. */
  async function replace(
    { state, folded }: Current,
    change: Pick<Change, "text" | "movedFrom">,
    provenance: Provenance,
  ): Promise<MemoryRevision> {
    const parents = folded.frontier;
    return put(state, { kind: "full", parents, before: folded.text ?? "", ...change }, provenance);
  }

  /** What is there now; throws when there is no such document. */
  async function existing(document: string, what: string): Promise<Current & { text: string }> {
    const current = await reading.current(document);
    const { text } = current.folded;
    if (text !== null) return { ...current, text };
    throw new MemoryError(`cannot ${what} ${document}: there is no such document`, {
      code: what === "edit" ? "edit_refused" : "document_missing",
      hint: "write it first, or list the documents",
    });
  }

  async function opened(document: string): Promise<DocumentState> {
    const known = store.known(document);
    // Whoever appends lists nothing: what others wrote meanwhile stands beside it.
    if (known !== undefined && known.set.size > 0) return known;
    return (await reading.current(document, { keepsView: false })).state;
  }

  function saw(document: string, revision: MemoryRevision): void {
    seen.set(document, { frontier: [revision.revision], heads: [revision.revision] });
    lastAppend.set(document, null);
  }

  return {
    gave(document, folded) {
      seen.set(document, { frontier: folded.frontier, heads: folded.heads.map(({ revision }) => revision) });
      lastAppend.set(document, folded.appends.findLast((append) => append.writer === writer)?.revision ?? null);
    },

    async write(document, text, provenance, { base } = {}) {
      return inTurn(document, async () => {
        checkText(document, text);
        const given = base ?? seen.get(document)?.frontier;
        const current = given === undefined ? await reading.current(document) : null;
        const state = current?.state ?? (await loaded(document, given ?? []));
        const { text: before } = current?.folded ?? (await state.folder.foldAt(given ?? []));
        const parents = [...new Set(given ?? current?.folded.frontier)].sort();
        const written = await put(state, { kind: "full", text, parents, before: before ?? "" }, provenance);
        if (base === undefined) saw(document, written);
        return describeWritten(written);
      });
    },

    async append(document, text, provenance) {
      return inTurn(document, async () => {
        const added = text.endsWith("\n") ? text : `${text}\n`;
        checkText(document, added);
        const state = await opened(document);
        checkText(document, added, state.bytes);
        const given = seen.get(document);
        let last = lastAppend.get(document);
        last ??=
          given === undefined ? state.set.shown().appends.findLast((one) => one.writer === writer)?.revision : null;
        const heads = given?.heads ?? state.set.heads();
        const parents = [...new Set([...heads, ...(last ? [last] : [])])].sort();
        const written = await put(state, { kind: "append", text: added, parents }, provenance);
        state.bytes += written.bytes;
        lastAppend.set(document, written.revision);
        if (given !== undefined) {
          const older = given.frontier.filter((revision) => !parents.includes(revision));
          seen.set(document, { ...given, frontier: [...older, written.revision].sort() });
        }
        return describeWritten(written);
      });
    },

    async edit(document, change, provenance) {
      return inTurn(document, async () => {
        const current = await existing(document, "edit");
        const text = replaceOnce(document, current.text, change);
        const trust = lowestTrust([provenance.trust, current.folded.trust]);
        const written = await replace(current, { text }, { ...provenance, trust });
        // Where nothing had come that the caller had not seen, it now knows this too.
        const given = seen.get(document);
        if (given?.frontier.join() === current.folded.frontier.join()) saw(document, written);
        return describeWritten(written);
      });
    },

    async remove(document, provenance) {
      return inTurn(document, async () => {
        const { state, folded } = await existing(document, "remove");
        const written = await put(state, { kind: "delete", text: "", parents: folded.frontier }, provenance);
        seen.delete(document);
        lastAppend.delete(document);
        return describeWritten(written);
      });
    },

    async rename(from, to, provenance) {
      checkDocumentName(to);
      return inTurn(from, () =>
        from === to
          ? Promise.reject(targetExists(from, to))
          : // Two renames at once may cross; names in their order cannot wait for each other.
            turns.take(`to ${to}`, () => move(from, to, provenance)),
      );
    },

    async restore(document, revision, provenance) {
      return inTurn(document, async () => {
        const current = await reading.current(document);
        const { state } = current;
        await store.load(document, [revision]);
        const old = state.set.has(revision) ? await state.folder.foldAt([revision]) : null;
        if (old === null || old.text === null) {
          throw new MemoryError(`${document} has no text at revision ${revision}`, {
            code: "revision_unknown",
            hint: `list its revisions with the history of ${document}`,
          });
        }
        const trust = lowestTrust([provenance.trust, old.trust]);
        const written = await put(
          state,
          { kind: "full", text: old.text, parents: current.folded.frontier, before: old.text },
          { ...provenance, trust },
        );
        saw(document, written);
        return describeWritten(written);
      });
    },

    end: () => turns.end(),
  };

  /** The state with these revisions in it; throws when one of them is not there. */
  async function loaded(document: string, base: string[]): Promise<DocumentState> {
    try {
      await folders.checkLinks(document);
      const state = await store.load(document, base);
      const unknown = base.find((revision) => !state.set.has(revision));
      if (unknown === undefined) return state;
      throw new MemoryError(`cannot write ${document}: its base ${unknown.slice(0, 200)} is not known`, {
        code: "revision_unknown",
        hint: "read the document again and write with what that shows",
      });
    } catch (error) {
      throw asMemoryError(error, `cannot write ${document}`);
    }
  }

  /** First the new document, then the end of the old one: a crash in between leaves both, and this goes on from there. */
  async function move(from: string, to: string, provenance: Provenance): Promise<MemoryWritten> {
    const target = await reading.current(to);
    const revisions = [...target.state.set.values()];
    const copies = revisions.filter(({ movedFrom }) => movedFrom === from);
    const isOurs = copies.length > 0 && target.folded.heads.every(({ movedFrom }) => movedFrom === from);
    const source = await reading.current(from);
    const { text, newest } = source.folded;
    const done = text === null && newest?.movedTo === to ? copies.at(-1) : undefined;
    if (done !== undefined) return describeWritten(done);
    if (target.folded.text !== null && (!isOurs || target.folded.appends.length > 0 || text === null)) {
      throw targetExists(from, to);
    }
    if (text === null) await existing(from, "rename");
    const trust = lowestTrust([provenance.trust, source.folded.trust]);
    const isCopied = target.folded.text === text;
    const copy = isCopied
      ? target.folded.heads[0]
      : await replace(target, { text: text ?? "", movedFrom: from }, { ...provenance, trust });
    const parents = source.folded.frontier;
    await put(source.state, { kind: "delete", text: "", parents, movedTo: to }, provenance);
    for (const document of [from, to]) seen.delete(document);
    for (const document of [from, to]) lastAppend.delete(document);
    return describeWritten(copy as MemoryRevision);
  }
}

function targetExists(from: string, to: string): MemoryError {
  return new MemoryError(`cannot rename ${from} to ${to}: that document exists`, {
    code: "document_exists",
    hint: "choose another name, or join the two by hand",
  });
}

function describeWritten({ document, revision, author, source, trust }: MemoryRevision): MemoryWritten {
  return { document, revision, author, source, trust };
}

function replaceOnce(document: string, text: string, change: { before: string; after: string }): string {
  const refuse = (why: string, hint: string): MemoryError =>
    new MemoryError(`cannot edit ${document}: ${why}`, { code: "edit_refused", hint });
  if (change.before === "") throw refuse("the text to replace is empty", "give the exact text that shall be replaced");
  const at = text.indexOf(change.before);
  if (at < 0) throw refuse("the text to replace does not occur", "read the document and copy the text exactly");
  if (text.indexOf(change.before, at + 1) >= 0) {
    throw refuse("the text to replace occurs more than once", "add the text around it until it occurs once");
  }
  return text.slice(0, at) + change.after + text.slice(at + change.before.length);
}
