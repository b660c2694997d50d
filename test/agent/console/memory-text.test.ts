/** What the memory's pages make of names, addresses and marked passages. */
import { expect, test } from "vitest";
import { authorsOf, conflictsIn, solveConflict, splitConflicts } from "../../../agent/console/pages/lib/conflicts.ts";
import { webAddress } from "../../../agent/console/pages/lib/markdown-inline.ts";
import { readRoute } from "../../../agent/console/pages/lib/router.ts";
import { documentHash, documentLink, readPlace } from "../../../agent/console/pages/state/memory-place.ts";
import { matching, treeOf } from "../../../agent/console/pages/state/memory-tree.ts";
import type { MemoryListed } from "../../../agent/memory-api.ts";
import { conflictLabel, mergeTexts } from "../../../memory/merge.ts";

const inner = ["<!-- conflict: A, revision 1-a-f -->", "1", "<!-- conflict or: B, revision 2-b-f -->", "2"];
const both = [...inner, "<!-- end of conflict -->"].join("\n");

test("splits a text at its conflicts, and puts it together again from the sides that were chosen", () => {
  const text = `top\n${both}\nbottom\n`;
  const [top, conflict, bottom] = splitConflicts(text);
  expect(top).toEqual({ kind: "text", text: "top" });
  expect(bottom).toEqual({ kind: "text", text: "bottom\n" });
  if (conflict?.kind !== "conflict") throw new Error("there is no conflict");
  expect(conflict.left).toEqual({ authors: [{ author: "A", revision: "1-a-f" }], text: "1" });
  expect(conflict.right).toEqual({ authors: [{ author: "B", revision: "2-b-f" }], text: "2" });
  expect(solveConflict(text, conflict, "left")).toBe("top\n1\nbottom\n");
  expect(solveConflict(text, conflict, "right")).toBe("top\n2\nbottom\n");
  expect(solveConflict(text, conflict, "both")).toBe("top\n1\n2\nbottom\n");
});

test("a conflict within a side is solved after the one around it", () => {
  const text = `<!-- conflict: A, revision 1-a-f -->\n${both}\n<!-- conflict or: C, revision 3-c-f -->\n3\n<!-- end of conflict -->`;
  const [outer, ...others] = conflictsIn(text);
  expect(others).toEqual([]);
  if (!outer) throw new Error("there is no conflict");
  expect(outer.left.text).toBe(both);
  const left = solveConflict(text, outer, "left");
  expect(conflictsIn(left)).toHaveLength(1);
});

test("marker lines that do not belong together stay text", () => {
  for (const text of ["<!-- end of conflict -->", inner.join("\n"), `${inner[0]}\n<!-- end of conflict -->`]) {
    expect(splitConflicts(text)).toEqual([{ kind: "text", text }]);
  }
});

test("what the memory marks is what the page finds", () => {
  const label = (author: string) => conflictLabel({ author, revision: `1-${author.length}-f` });
  const labels = { left: `${label("Ada -- x")}; ${label("Bo, revision y; z")}`, right: label("Grace") };
  const marked = mergeTexts("a\nb\nc\n", "a\nleft\nc\n", "a\nright\nc\n", labels);
  const [found, ...others] = conflictsIn(marked);
  expect(others).toEqual([]);
  expect(found?.left.text).toBe("left");
  expect(found?.right).toEqual({ authors: [{ author: "Grace", revision: "1-5-f" }], text: "right" });
  expect(found && authorsOf(found.left)).toContain("Ada - - x");
  expect(found && authorsOf({ authors: [], text: "" })).toBe("somebody");
});

test("an address names a document with its folders, and what of it is shown", () => {
  const placeOf = (hash: string) => readPlace(readRoute(hash).path);
  expect(placeOf("#/memory")).toEqual({ kind: "start" });
  expect(placeOf("#/memory/new")).toEqual({ kind: "new" });
  const document = "daily/2026-01-31.md";
  const place = { kind: "document", document, mode: "read", revision: null };
  expect(placeOf(documentHash(document))).toEqual(place);
  expect(documentHash("ops.md", "history")).toBe("#/memory/ops.md/history");
  expect(placeOf(documentHash(document, "edit"))).toEqual({ ...place, mode: "edit" });
  expect(placeOf(documentHash(document, "history", "0-a-b"))).toEqual({ ...place, mode: "history", revision: "0-a-b" });
  expect(placeOf("#/memory/%2e%2e/%00")).toEqual({ ...place, document: "../\u0000" });
});

test.each([
  ["ops.md", "#/memory/daily/ops.md"],
  ["../ops.md#top", "#/memory/ops.md"],
  ["./a b.md", "#/memory/daily/a%20b.md"],
  ["https://example.org/x", "https://example.org/x"],
  ["../../ops.md", null],
  ["/ops.md", null],
  ["javascript:x.md", null],
  ["ops.txt", null],
  ["#top", null],
])("in daily/x.md the link %s leads to %s", (target, hash) => {
  expect(documentLink("daily/x.md", target, webAddress)).toBe(hash);
});

test("documents lie in their folders, days with the newest first, and a filter finds every word of a name", () => {
  const listed = (document: string): MemoryListed => ({
    document,
    bytes: 1,
    at: 1,
    trust: "self",
    isConflicted: false,
  });
  const documents = ["b.md", "a.md", "daily/2026-01-01.md", "daily/2026-01-02.md", "github/x/y.md"].map(listed);
  const top = treeOf(documents);
  expect(top.documents.map(({ document }) => document)).toEqual(["a.md", "b.md"]);
  expect(top.folders.map(({ path }) => path)).toEqual(["daily", "github"]);
  expect(top.folders[0]?.documents.map(({ document }) => document)).toEqual([
    "daily/2026-01-02.md",
    "daily/2026-01-01.md",
  ]);
  expect(top.folders[1]?.folders[0]?.documents.map(({ document }) => document)).toEqual(["github/x/y.md"]);
  expect(matching(documents, "DAILY 01-02").map(({ document }) => document)).toEqual(["daily/2026-01-02.md"]);
});
