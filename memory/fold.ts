/** From a set of revisions to one text: a pure function, so that every host with the same set has the same text. */

import { compareAppend, compareFull, type Revision } from "./revisions.ts";
import type { MemoryTrust } from "./types.ts";

export interface Folded {
  /** Null when the document does not exist or was deleted. */
  text: string | null;
  /** Full texts that no other full text includes, in order. */
  heads: Revision[];
  /** Appends that no head includes, in order. */
  appends: Revision[];
  /** Ids of all of these: what the text shows. */
  shown: string[];
  newest: Revision | null;
  trust: MemoryTrust;
}

const trustOrder: MemoryTrust[] = ["public", "self", "maintainer"];

/** The least trusted of several; `maintainer` of none. */
function lowestTrust(trusts: Iterable<MemoryTrust>): MemoryTrust {
  let lowest = trustOrder.length - 1;
  for (const trust of trusts) lowest = Math.min(lowest, Math.max(0, trustOrder.indexOf(trust)));
  return trustOrder[lowest] ?? "public";
}

export function fold(revisions: Map<string, Revision>): Folded {
  const all = [...revisions.values()];
  const fulls = all.filter((revision) => revision.kind !== "append").sort(compareFull);
  const covered = new Set<string>();
  for (const full of fulls) addAncestors(full.parents, revisions, covered);
  const heads = fulls.filter((full) => !covered.has(full.revision));
  const appends = all
    .filter((revision) => revision.kind === "append" && !covered.has(revision.revision))
    .sort(compareAppend);
  const shown = [...heads, ...appends];
  const live = shown.filter((revision) => revision.kind !== "delete");
  const newest = [...shown].sort(compareFull).at(-1) ?? null;
  return {
    text: live.length === 0 ? null : appendAll(mergeHeads(heads.filter((head) => head.kind === "full")), appends),
    heads,
    appends,
    shown: shown.map((revision) => revision.revision),
    newest,
    trust: lowestTrust(live.map((revision) => revision.trust)),
  };
}

/** The revision and everything before it, for showing the text that a document had then. */
export function upTo(revisions: Map<string, Revision>, revision: string): Map<string, Revision> {
  const wanted = new Set<string>([revision]);
  addAncestors(revisions.get(revision)?.parents ?? [], revisions, wanted);
  return new Map([...revisions].filter(([id]) => wanted.has(id)));
}

function addAncestors(parents: string[], revisions: Map<string, Revision>, into: Set<string>): void {
  const open = [...parents];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (into.has(id)) continue;
    into.add(id);
    open.push(...(revisions.get(id)?.parents ?? []));
  }
}

/** Texts that were written without knowledge of each other are all kept, and marked for a person to join. */
function mergeHeads(heads: Revision[]): string {
  const distinct = heads.filter((head, index) => heads.findIndex((other) => other.text === head.text) === index);
  const [first, ...others] = distinct;
  if (first === undefined) return "";
  const parts = others.map((head) => {
    const who = `${head.author}, revision ${head.revision}`.replaceAll("--", "- -");
    return `<!-- conflict: ${who} wrote this at the same time -->\n${withNewline(head.text)}<!-- end of conflict -->\n`;
  });
  return parts.length === 0 ? first.text : withNewline(first.text) + parts.join("");
}

function appendAll(text: string, appends: Revision[]): string {
  return appends.reduce((before, append) => withNewline(before) + append.text, text);
}

function withNewline(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}
