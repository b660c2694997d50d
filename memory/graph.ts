/**
 * The set of revisions of one document that a host knows, and what follows from their parents alone: which texts and
 * appends are shown. A parent that is not in the set is as if it were not named.
 *
 * Each revision's number (lamport) is above those of its parents, so a walk in falling order meets every child before
 * its parents and can stop as soon as nothing it may still meet is shown.
 */
import { compareAppend, compareFull, lamportOf } from "./revisions.ts";
import type { MemoryRevision } from "./types.ts";

export interface Shown {
  /** Full texts and deletions that no other one includes, in order. */
  heads: MemoryRevision[];
  /** Appends that no full text or deletion includes, in order. */
  appends: MemoryRevision[];
}

export class RevisionSet {
  readonly #known = new Map<string, MemoryRevision>();
  readonly #named = new Set<string>();
  readonly #missing = new Set<string>();
  readonly #covered = new Set<string>();
  readonly #frontier = new Set<string>();
  readonly #heads = new Map<string, MemoryRevision>();
  readonly #appends = new Map<string, MemoryRevision>();
  #highest = 0;
  #late = 0;

  /** Takes each revision once; in any order. */
  add(revision: MemoryRevision): void {
    const id = revision.revision;
    if (this.#known.has(id)) return;
    this.#known.set(id, revision);
    this.#highest = Math.max(this.#highest, revision.lamport);
    if (this.#named.has(id)) this.#late++;
    else this.#frontier.add(id);
    this.#missing.delete(id);
    for (const parent of revision.parents) {
      this.#named.add(parent);
      this.#frontier.delete(parent);
      if (!this.#known.has(parent)) this.#missing.add(parent);
    }
    const isCovered = this.#covered.has(id);
    if (!isCovered) (revision.kind === "append" ? this.#appends : this.#heads).set(id, revision);
    if (isCovered || revision.kind !== "append") this.#cover(revision.parents);
  }

  #cover(parents: string[]): void {
    const open = [...parents];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      if (this.#covered.has(id)) continue;
      this.#covered.add(id);
      this.#heads.delete(id);
      this.#appends.delete(id);
      open.push(...(this.#known.get(id)?.parents ?? []));
    }
  }

  get(revision: string): MemoryRevision | undefined {
    return this.#known.get(revision);
  }

  has(revision: string): boolean {
    return this.#known.has(revision);
  }

  isCovered(revision: string): boolean {
    return this.#covered.has(revision);
  }

  values(): IterableIterator<MemoryRevision> {
    return this.#known.values();
  }

  get size(): number {
    return this.#known.size;
  }

  /** The largest number of all. */
  get highest(): number {
    return this.#highest;
  }

  /** Grows when a revision came after one that names it as a parent: what was folded of older sets may differ then. */
  get late(): number {
    return this.#late;
  }

  /** Parents that are named and not known. */
  missing(): string[] {
    return [...this.#missing];
  }

  /** The revisions that are nobody's parents, sorted: they stand for the whole set. */
  frontier(): string[] {
    return [...this.#frontier].sort();
  }

  /** Ids of the full texts and deletions that no other one includes, sorted. */
  heads(): string[] {
    return [...this.#heads.keys()].sort();
  }

  /** What the whole set shows. */
  shown(): Shown {
    return order([...this.#heads.values()], [...this.#appends.values()]);
  }

  /** What these revisions and everything before them show. */
  shownAt(frontier: Iterable<string>): Shown {
    const heads: MemoryRevision[] = [];
    const appends: MemoryRevision[] = [];
    const covered = 1;
    this.#walk(
      [...frontier].map((id) => [id, 0]),
      covered,
      (revision, flags) => {
        if (flags === 0) (revision.kind === "append" ? appends : heads).push(revision);
        return revision.kind === "append" ? flags : covered;
      },
    );
    return order(heads, appends);
  }

  /** The newest revisions that both sides include: they stand for all that both have seen. */
  meet(left: Iterable<string>, right: Iterable<string>): string[] {
    const [fromLeft, fromRight, below] = [1, 2, 4];
    const both = fromLeft | fromRight;
    const result: string[] = [];
    const start: [string, number][] = [];
    for (const id of left) start.push([id, fromLeft]);
    for (const id of right) start.push([id, fromRight]);
    this.#walk(start, below, (revision, flags) => {
      if ((flags & both) !== both) return flags;
      if ((flags & below) === 0) result.push(revision.revision);
      return both | below;
    });
    return result.sort();
  }

  /**
   * Visits revisions in falling order; each hands flags to its parents. Ends when everything still open carries `done`:
   * nothing further down can matter then.
   */
  #walk(start: [string, number][], done: number, visit: (revision: MemoryRevision, flags: number) => number): void {
    const flags = new Map<string, number>();
    const queue = new LamportQueue();
    let open = 0;
    const reach = (id: string, add: number): void => {
      if (!this.#known.has(id)) return;
      const before = flags.get(id);
      if (before === undefined) queue.push(id);
      const after = (before ?? 0) | add;
      flags.set(id, after);
      if (before === undefined && (after & done) === 0) open++;
      if (before !== undefined && (before & done) === 0 && (after & done) !== 0) open--;
    };
    for (const [id, add] of start) reach(id, add);
    while (open > 0) {
      const id = queue.pop();
      const revision = id === undefined ? undefined : this.#known.get(id);
      if (id === undefined || revision === undefined) return;
      const own = flags.get(id) ?? 0;
      if ((own & done) === 0) open--;
      const handed = visit(revision, own);
      for (const parent of revision.parents) reach(parent, handed);
    }
  }
}

function order(heads: MemoryRevision[], appends: MemoryRevision[]): Shown {
  return { heads: heads.sort(compareFull), appends: appends.sort(compareAppend) };
}

/** Ids by falling lamport number: a heap. */
class LamportQueue {
  readonly #ids: string[] = [];

  push(id: string): void {
    const ids = this.#ids;
    let at = ids.push(id) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (lamportAt(ids, above) >= lamportOf(id)) break;
      ids[at] = ids[above] as string;
      at = above;
    }
    ids[at] = id;
  }

  pop(): string | undefined {
    const ids = this.#ids;
    const [first] = ids;
    const last = ids.pop();
    if (last === undefined || ids.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= ids.length) break;
      if (below + 1 < ids.length && lamportAt(ids, below + 1) > lamportAt(ids, below)) below++;
      if (lamportAt(ids, below) <= lamportOf(last)) break;
      ids[at] = ids[below] as string;
      at = below;
    }
    ids[at] = last;
    return first;
  }
}

function lamportAt(ids: string[], at: number): number {
  return lamportOf(ids[at] as string);
}
