/** From a set of revisions to one text: a pure function, so that every host with the same set has the same text. */
import type { RevisionSet, Shown } from "./graph.ts";
import { conflictLabel, mergeTexts } from "./merge.ts";
import { compareFull } from "./revisions.ts";
import type { MemoryRevision, MemoryTrust } from "./types.ts";

export interface Folded extends Shown {
  /** The revisions that stand for the whole set it was folded from. */
  frontier: string[];
  /** Null when the document does not exist or was deleted. */
  text: string | null;
  /** The newest revision of those that are shown; of a deleted document, the deletion. */
  newest: MemoryRevision | null;
  /** The lowest of all that is shown. */
  trust: MemoryTrust;
}

export type TextOf = (revision: MemoryRevision) => string | Promise<string>;

const trustOrder: MemoryTrust[] = ["public", "self", "maintainer"];

/** The least trusted of several; `maintainer` of none. */
export function lowestTrust(trusts: Iterable<MemoryTrust>): MemoryTrust {
  let lowest = trustOrder.length - 1;
  for (const trust of trusts) lowest = Math.min(lowest, Math.max(0, trustOrder.indexOf(trust)));
  return trustOrder[lowest] ?? "public";
}

/** Characters of older folds that are kept for the next time: texts of common ancestors are asked for again and again. */
const rememberedCharacters = 16 * 1024 * 1024;

/**
 * Folds one document's revisions. It remembers what it folded: a set never changes below its frontier, and a document
 * that only got more appends is folded by adding those.
 */
export class Folder {
  readonly #set: RevisionSet;
  readonly #textOf: TextOf;
  readonly #bases = new Map<string, string | null>();
  #remembered = 0;
  #late = 0;
  #last: { heads: MemoryRevision[]; appends: MemoryRevision[]; merged: string; text: string } | null = null;

  constructor(set: RevisionSet, textOf: TextOf) {
    this.#set = set;
    this.#textOf = textOf;
  }

  /** The document as the whole set shows it. */
  async fold(): Promise<Folded> {
    this.#forgetWhatCameLate();
    const shown = this.#set.shown();
    const frontier = this.#set.frontier();
    const late = this.#late;
    const { heads, appends } = shown;
    const live = heads.filter((head) => head.kind === "full");
    if (live.length + appends.length === 0) return describe(shown, frontier, null);
    const last = this.#last;
    const isSame =
      last !== null && last.heads.length === heads.length && heads.every((head, n) => head === last.heads[n]);
    const merged = isSame ? last.merged : await this.#merge(live);
    // Under the same heads appends only come; where the last one stands at its old place, so do all before it.
    const count = isSame ? last.appends.length : 0;
    const isLonger = isSame && (count === 0 || appends[count - 1] === last.appends[count - 1]);
    const text = isLonger ? await this.#addAll(last.text, appends.slice(count)) : await this.#addAll(merged, appends);
    if (late === this.#set.late) this.#last = { heads, appends, merged, text };
    return describe(shown, frontier, text);
  }

  /** The document as these revisions and everything before them show it. */
  async foldAt(frontier: string[]): Promise<Folded> {
    this.#forgetWhatCameLate();
    const shown = this.#set.shownAt(frontier);
    const live = shown.heads.filter((head) => head.kind === "full");
    if (live.length + shown.appends.length === 0) return describe(shown, frontier, null);
    return describe(shown, frontier, await this.#addAll(await this.#merge(live), shown.appends));
  }

  /** Heads in order, each merged into what the earlier ones gave, over what both had seen. */
  async #merge(heads: MemoryRevision[]): Promise<string> {
    const [first, ...others] = heads;
    if (first === undefined) return "";
    let text = await this.#textOf(first);
    const folded = [first];
    for (const head of others) {
      const base = await this.#base(
        this.#set.meet(
          folded.map(({ revision }) => revision),
          [head.revision],
        ),
      );
      text = mergeTexts(base, text, await this.#textOf(head), {
        left: folded.map(conflictLabel).join("; "),
        right: conflictLabel(head),
      });
      folded.push(head);
    }
    return text;
  }

  async #base(frontier: string[]): Promise<string> {
    if (frontier.length === 0) return "";
    const [only] = frontier;
    const single = frontier.length === 1 && only !== undefined ? this.#set.get(only) : undefined;
    if (single?.kind === "full") return this.#textOf(single);
    const key = frontier.join(",");
    const known = this.#bases.get(key);
    if (known !== undefined) return known ?? "";
    const late = this.#late;
    const { text } = await this.foldAt(frontier);
    if (late !== this.#set.late) return text ?? "";
    this.#remembered += (text?.length ?? 0) + key.length;
    if (this.#remembered > rememberedCharacters) {
      this.#bases.clear();
      this.#remembered = 0;
    }
    this.#bases.set(key, text);
    return text ?? "";
  }

  async #addAll(text: string, appends: MemoryRevision[]): Promise<string> {
    // Joined at the end: a text that grows piece by piece would be copied for each.
    const parts = [text];
    let last = text;
    for (const append of appends) {
      const added = this.#textOf(append);
      const next = typeof added === "string" ? added : await added;
      if (last !== "" && !last.endsWith("\n")) parts.push("\n");
      parts.push(next);
      last = next === "" ? last : next;
    }
    return parts.join("");
  }

  #forgetWhatCameLate(): void {
    if (this.#late === this.#set.late) return;
    this.#late = this.#set.late;
    this.#bases.clear();
    this.#remembered = 0;
    this.#last = null;
  }
}

function describe(shown: Shown, frontier: string[], text: string | null): Folded {
  const all = [...shown.heads, ...shown.appends];
  const live = all.filter(({ kind }) => kind !== "delete");
  const newest = (live.length > 0 ? live : all).reduce<MemoryRevision | null>(
    (best, one) => (best === null || compareFull(one, best) > 0 ? one : best),
    null,
  );
  return { ...shown, frontier, text, newest, trust: lowestTrust(live.map(({ trust }) => trust)) };
}
