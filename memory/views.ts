/**
 * Keeps the views up to date, behind the writers' backs: a write is done when its revision is on disk, and a view that
 * a crash left behind is made anew by whoever next reads the document.
 */
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { asMemoryError } from "./errors.ts";
import { isMissing, type MemoryFiles, steady, writeWhole } from "./files.ts";
import type { Folders } from "./folders.ts";
import { takeIn } from "./hand-edits.ts";
import { documentOfKept, keep, keptFolder, keptMs, listKept, lookAtKept } from "./kept.ts";
import { mapBounded, Turns } from "./parallel.ts";
import type { Store } from "./store.ts";
import type { MemoryProblem } from "./types.ts";
import { readView, renderView, type View } from "./view.ts";

export interface ViewsOptions {
  directory: string;
  files: MemoryFiles;
  folders: Folders;
  store: Store;
  onProblem: (problem: MemoryProblem) => void;
}

/** A view is renewed at most this often by one process. */
const leastPauseMs = 250;
/** Renewing may take so much of a process's time: one part in this many. */
const pauseForWork = 40;
/** A view that another process renewed within this time is left to it: each one that renews reads what all have written. */
const freshMs = 2_000;
/** But no longer than this while what this process wrote is not shown. */
const longestDeferMs = 10_000;
/** At the end others are given so long to show what we wrote; each process waits for another time. */
const leastHandoverMs = 300;
const mostHandoverMs = 1_500;
const handoverLookMs = 100;
/** At the end a view is made again so often while others keep writing; what comes later is theirs to show. */
const mostLastRounds = 5;

/** From a listing to the view of what it showed it takes less, unless the process stood still. */
const pausedMs = 1_000;
/** Documents of which it is noted when their view was renewed last. */
const mostNoted = 1_000;

interface Due {
  /** Own revision that the view shall show; null when any change shall be shown. */
  revision: string | null;
  since: number;
  timer: NodeJS.Timeout;
}

export class Views {
  readonly #options: ViewsOptions;
  readonly #due = new Map<string, Due>();
  /** When each document's view was last renewed, and how long not to do it again. */
  readonly #paused = new Map<string, { until: number; shown: string; changedAt: number }>();
  readonly #kept = new Map<string, NodeJS.Timeout | null>();
  readonly #turns = new Turns();
  #hasAdopted = false;
  #isClosed = false;

  constructor(options: ViewsOptions) {
    this.#options = options;
  }

  /** Says that a document changed. Its view follows soon; `revision` is what this process just wrote. */
  changed(document: string, revision: string | null = null): void {
    if (this.#isClosed) return;
    const due = this.#due.get(document);
    if (due) {
      due.revision = revision ?? due.revision;
      return;
    }
    // Not at once: writes come in groups, and other processes write to the same document.
    const least = leastPauseMs * Math.random();
    const wait = Math.max(least, (this.#paused.get(document)?.until ?? 0) - performance.now());
    this.#schedule(document, { revision, since: performance.now() }, wait);
  }

  #schedule(document: string, due: Omit<Due, "timer">, waitMs: number): void {
    const timer = setTimeout(() => void this.#run(document, { isLast: false }), waitMs);
    timer.unref();
    this.#due.set(document, { ...due, timer });
  }

  #run(document: string, { isLast }: { isLast: boolean }): Promise<void> {
    return this.#turns.take(document, async () => {
      const due = this.#due.get(document);
      if (due === undefined) return;
      clearTimeout(due.timer);
      this.#due.delete(document);
      const started = performance.now();
      let isBehind = false;
      try {
        if (await this.#isLeftToOthers(document, due, isLast)) return;
        let isCurrent = await this.#renew(document, { isLast });
        for (let round = 1; isLast && !isCurrent && round < mostLastRounds; round++) {
          isCurrent = await this.#renew(document, { isLast });
        }
        isBehind = !isCurrent && !isLast;
      } catch (error) {
        const { message, hint } = asMemoryError(error, `cannot renew the view of ${document}`);
        this.#options.onProblem({ document, problem: message, hint });
      }
      const pause = Math.max(leastPauseMs, pauseForWork * (performance.now() - started));
      this.#note(document, { until: performance.now() + pause });
      if (isBehind) this.changed(document);
    });
  }

  #note(document: string, part: { until?: number; shown?: string; changedAt?: number }): void {
    const before = this.#paused.get(document) ?? { until: 0, shown: "", changedAt: Number.NEGATIVE_INFINITY };
    this.#paused.delete(document);
    this.#paused.set(document, { ...before, ...part });
    for (const oldest of this.#paused.keys()) {
      if (this.#paused.size <= mostNoted) break;
      this.#paused.delete(oldest);
    }
  }

  /** Nothing is to be done where the view shows our revision; and later, where somebody else just renewed it. */
  async #isLeftToOthers(document: string, due: Due, isLast: boolean): Promise<boolean> {
    const path = join(this.#options.directory, document);
    const view = await readView(this.#options.files, path);
    if (view.state !== "rendered") return false;
    if (due.revision !== null && view.shown.includes(due.revision)) return true;
    const shown = view.shown.join(",");
    const before = this.#paused.get(document)?.shown;
    // Many that end at once need not all read what all have written: one of them shows it for the others.
    if (isLast) return before !== undefined && before !== shown && (await this.#isShownSoon(document, due));
    const now = performance.now();
    const hasChanged = before !== undefined && before !== "" && before !== shown;
    this.#note(document, hasChanged ? { shown, changedAt: now } : { shown });
    const changedAt = this.#paused.get(document)?.changedAt ?? Number.NEGATIVE_INFINITY;
    const isFresh = now - changedAt < freshMs && now - due.since < longestDeferMs;
    if (isFresh && !this.#due.has(document) && !this.#isClosed) {
      // Not all at once: the others wait too.
      this.#schedule(document, due, leastPauseMs * (1 + Math.random()));
    }
    return isFresh;
  }

  /** Where others are at work on a view, it shows ours too within a moment, most of the time. */
  async #isShownSoon(document: string, due: Due): Promise<boolean> {
    const until = performance.now() + leastHandoverMs + Math.random() * (mostHandoverMs - leastHandoverMs);
    while (due.revision !== null && performance.now() < until) {
      await delay(handoverLookMs);
      const view = await readView(this.#options.files, join(this.#options.directory, document));
      if (view.state === "rendered" && view.shown.includes(due.revision)) return true;
    }
    return false;
  }

  /** Makes the view show all that is known, and takes in what people changed in it. Says whether it is up to date. */
  async #renew(document: string, { isLast }: { isLast: boolean }): Promise<boolean> {
    const { directory, files, store } = this.#options;
    await this.#options.folders.checkLinks(document);
    const view = await readView(files, join(directory, document));
    // A person's text is not overwritten before it is taken in.
    if (view.state === "busy" || (await takeIn(store, document, view)) !== null) return true;
    const listed = performance.now();
    const state = await store.load(document, "shown" in view ? view.shown : []);
    const { text, frontier } = await state.folder.fold();
    state.bytes = Buffer.byteLength(text ?? "");
    if (frontier.length === 0) return true;
    this.#note(document, { shown: frontier.join(",") });
    if (showsAll(view, text, frontier)) return true;
    await this.#replace(document, view, text === null ? null : renderView(text, frontier));
    // A process that was paused in between may have put an old view in the place of a newer one.
    if (!isLast && performance.now() - listed < pausedMs) return true;
    await store.load(document);
    return state.set.frontier().join(",") === frontier.join(",");
  }

  /** Puts a new view in place, or takes it away, and looks at what stood there. */
  async #replace(document: string, view: View, file: string | null): Promise<void> {
    const { directory, files, folders } = this.#options;
    const expected = "file" in view ? view.file : null;
    const name = await keep(files, folders, { directory, document, expected, isMoved: file === null });
    if (file !== null) {
      const path = join(directory, document);
      await writeWhole(path, file, files).catch(async (error) => {
        if (!isMissing(error)) throw error;
        await folders.make(join(path, ".."));
        await writeWhole(path, file, files);
      });
    }
    if (name === null) return;
    this.#lookLater(name);
    await this.#look(name, { isLast: false });
  }

  /** Takes in what a person saved into a file that was replaced. It stays kept until the last look. */
  async #look(name: string, { isLast }: { isLast: boolean }): Promise<void> {
    const { directory, files, store, onProblem } = this.#options;
    const document = documentOfKept(name);
    if (document === null) return;
    const view = await lookAtKept(files, directory, name);
    if (view?.state === "busy") return this.#lookLater(name);
    if (view !== null) {
      const problem = await takeIn(store, document, view);
      if (problem !== null) {
        // Never let go of what a person wrote: `check` names it until somebody looks after it.
        this.#kept.delete(name);
        if (isLast) onProblem(problem);
        return;
      }
      this.changed(document);
    }
    if (!isLast) return;
    this.#kept.delete(name);
    await steady(() => files.unlink(join(keptFolder(directory), name))).catch(() => undefined);
  }

  #lookLater(name: string): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      const document = documentOfKept(name) ?? name;
      void this.#turns
        .take(`kept ${document}`, () => this.#look(name, { isLast: true }))
        .catch((error) => {
          const { message, hint } = asMemoryError(error, `cannot look at the replaced view ${name}`);
          this.#options.onProblem({ document, problem: message, hint });
        });
    }, keptMs);
    timer.unref();
    this.#kept.set(name, timer);
  }

  /** Looks after what an earlier process left behind when it was killed. Done once; never throws. */
  async adopt(): Promise<void> {
    if (this.#hasAdopted) return;
    this.#hasAdopted = true;
    const names = await listKept(this.#options.files, this.#options.directory).catch(() => []);
    for (const name of names) if (!this.#kept.has(name)) this.#lookLater(name);
  }

  /** Brings all views up to date. What was replaced a moment ago stays kept for the next one who opens the memory. */
  async close(): Promise<void> {
    await mapBounded([...this.#due.keys()], (document) => this.#run(document, { isLast: true }));
    this.#isClosed = true;
    for (const { timer } of this.#due.values()) clearTimeout(timer);
    for (const timer of this.#kept.values()) if (timer) clearTimeout(timer);
    await this.#turns.end();
    await this.#letGo().catch(() => undefined);
  }

  /** Lets go of what was replaced long enough ago, by the clock of the files' own server. */
  async #letGo(): Promise<void> {
    const { directory, files } = this.#options;
    if (this.#kept.size === 0) return;
    const touched = async (path: string): Promise<number> => (await files.status(path)).touchedAt;
    const now = await touched(keptFolder(directory));
    for (const name of this.#kept.keys()) {
      const at = await touched(join(keptFolder(directory), name)).catch(() => now);
      if (now - at >= keptMs) await this.#look(name, { isLast: true });
    }
  }
}

export function showsAll(view: View, text: string | null, frontier: string[]): boolean {
  if (text === null) return view.state === "absent";
  return view.state === "rendered" && view.body === text && view.shown.join(",") === frontier.join(",");
}
