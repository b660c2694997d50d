import fc from "fast-check";
import { expect, test } from "vitest";
import { differenceOf } from "../../memory/difference.ts";

const line = fc.constantFrom("a", "b", "c", "", "a longer line", "d");
const text = fc.array(line, { maxLength: 30 }).map((lines) => lines.map((one) => `${one}\n`).join(""));

/** The second text, made from the first one and the hunks alone. */
function applied(from: string, hunks: ReturnType<typeof differenceOf>["hunks"]): string {
  const before = from === "" ? [] : from.slice(0, -1).split("\n");
  const result: string[] = [];
  let at = 0;
  for (const { fromLine, toLine, lines } of hunks) {
    while (at < fromLine - 1) result.push(before[at++] ?? "?");
    expect(result).toHaveLength(toLine - 1);
    for (const { kind, text: words } of lines) {
      if (kind !== "added") expect(before[at++]).toBe(words);
      if (kind !== "removed") result.push(words);
    }
  }
  result.push(...before.slice(at));
  return result.map((one) => `${one}\n`).join("");
}

test("the hunks alone make the second text of the first, with at most three unchanged lines around each change", () => {
  fc.assert(
    fc.property(text, text, (from, to) => {
      const { hunks, added, removed } = differenceOf(from, to);
      expect(applied(from, hunks)).toBe(to);
      const lines = hunks.flatMap((hunk) => hunk.lines);
      expect(lines.filter(({ kind }) => kind === "added")).toHaveLength(added);
      expect(lines.filter(({ kind }) => kind === "removed")).toHaveLength(removed);
      if (from === to) expect(hunks).toEqual([]);
      for (const hunk of hunks) expect(hunk.lines.slice(0, 4).some(({ kind }) => kind !== "same")).toBe(true);
    }),
  );
});

test("a line break at the end is told, and texts that differ everywhere are not compared line by line", () => {
  expect(differenceOf("a", "a\n")).toMatchObject({ added: 0, removed: 1 });
  const [from, to] = ["x", "y"].map((word) => Array.from({ length: 3_000 }, (_, at) => `${word}${at % 7}\n`).join(""));
  const startedAt = performance.now();
  expect(differenceOf(from ?? "", to ?? "")).toMatchObject({ isWhole: true, added: 3_000, removed: 3_000 });
  expect(differenceOf(`same\n${from}`, `same\n${from}more\n`)).toMatchObject({ isWhole: false, added: 1, removed: 0 });
  expect(performance.now() - startedAt).toBeLessThan(1_000);
});
