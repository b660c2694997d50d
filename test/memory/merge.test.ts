import fc from "fast-check";
import { expect, test } from "vitest";
import { conflictLabel, isConflicted, mergeTexts } from "../../memory/merge.ts";

const labels = { left: "L, revision 1", right: "R, revision 2" };
const merge = (base: string, left: string, right: string): string => mergeTexts(base, left, right, labels);

/** Nothing that anybody writes may keep a host busy for longer. */
const mostMs = 1_000;

const mebibyte = (line: (at: number) => string): string[] => {
  const lines: string[] = [];
  for (let bytes = 0, at = 0; bytes < 1024 * 1024; at++) {
    const next = line(at);
    bytes += next.length + 1;
    lines.push(next);
  }
  return lines;
};

test.each([
  ["empty lines", (_at: number) => ""],
  ["one line again and again", (_at: number) => "x"],
  ["two lines in turn", (at: number) => `${at % 2}`],
  ["a hundred lines in turn", (at: number) => `${at % 100}`],
  ["different lines", (at: number) => `${at}`],
  ["long lines", (at: number) => `${at} ${"x".repeat(2_000)}`],
  ["parts that only one line divides", (at: number) => (at % 2_900 === 0 ? `part ${at}` : "x")],
])("18: 1 MiB of %s takes no longer than a second to merge, turned round, halved or moved", (_what, line) => {
  const base = mebibyte(line);
  const turned = [...base].reverse();
  const halved = base.filter((_line, at) => at % 2 === 0);
  const moved = [...base.slice(base.length / 2), ...base.slice(0, base.length / 2)];
  const sprinkled = base.map((one, at) => (at % 3 === 0 ? `${one}!` : one));
  for (const [left, right] of [
    [turned, halved],
    [moved, sprinkled],
    [[], turned],
    [sprinkled, ["first", ...base, "last"]],
  ] as const) {
    const started = performance.now();
    const cpu = process.cpuUsage();
    merge(base.join("\n"), left.join("\n"), right.join("\n"));
    const { user } = process.cpuUsage(cpu);
    // The time that it takes, not that of others on a busy machine.
    expect(Math.min(performance.now() - started, user / 1000)).toBeLessThan(mostMs);
  }
});

test("18: changes at both ends of a long text are taken from both sides", () => {
  const base = mebibyte((at) => `line ${at} of a text in which no two are the same`);
  const left = ["first", ...base];
  const right = [...base.slice(0, -1), "last"];
  const middle = base.with(base.length / 2, "middle");
  expect(merge(base.join("\n"), left.join("\n"), right.join("\n"))).toBe(
    ["first", ...base.slice(0, -1), "last"].join("\n"),
  );
  expect(isConflicted(merge(base.join("\n"), middle.join("\n"), [...left, "end"].join("\n")))).toBe(false);
});

test("18: what cannot be compared in time is kept whole, from both sides", () => {
  const base = Array.from({ length: 20_000 }, (_, at) => `${at % 7}`);
  const left = [...base].map((line, at) => (at % 2 === 0 ? line : "left"));
  const right = [...base].map((line, at) => (at % 2 === 1 ? line : "right"));
  const merged = merge(base.join("\n"), left.join("\n"), right.join("\n"));
  expect(isConflicted(merged)).toBe(true);
  expect(merged.split("\n").filter((line) => line === "left")).toHaveLength(10_000);
  expect(merged.split("\n").filter((line) => line === "right")).toHaveLength(10_000);
});

test("a text without a line break at its end, an emptied one and one with marks in it are merged too", () => {
  expect(merge("a", "a\nb", "a")).toBe("a\nb");
  expect(merge("", "", "x\n")).toBe("x\n");
  expect(merge("a\nb\n", "", "a\nb\nc\n")).toContain("c");
  const once = merge("a\n", "b\n", "c\n");
  expect(isConflicted(once)).toBe(true);
  const twice = merge("a\n", once, "d\n");
  for (const line of ["b", "c", "d"]) expect(twice.split("\n")).toContain(line);
});

test("marks are marks only in their order and on lines of their own", () => {
  expect(
    isConflicted(
      "<!-- conflict: A, revision 1 -->\na\n<!-- conflict or: B, revision 2 -->\nb\n<!-- end of conflict -->",
    ),
  ).toBe(true);
  expect(isConflicted("<!-- end of conflict -->\n<!-- conflict: A -->\n<!-- conflict or: B -->")).toBe(false);
  expect(isConflicted("a `<!-- conflict: A -->` or `<!-- conflict or: B -->` and `<!-- end of conflict -->`")).toBe(
    false,
  );
});

test("17: a name in a mark cannot end the mark", () => {
  expect(conflictLabel({ author: "a\n-->b---c\u2028d", revision: "r" })).toBe("a - ->b- - -c d, revision r");
  expect(conflictLabel({ author: " \n", revision: "r" })).toBe("somebody, revision r");
  expect(conflictLabel({ author: "x".repeat(500), revision: "r" }).length).toBeLessThan(120);
});

/** Whether each conflict's marks stand in their order, conflicts within conflicts included. */
function hasPairedMarks(text: string): boolean {
  const open: boolean[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("<!-- conflict: ")) open.push(false);
    else if (line.startsWith("<!-- conflict or: ")) {
      if (open.pop() !== false) return false;
      open.push(true);
    } else if (line === "<!-- end of conflict -->" && open.pop() !== true) return false;
  }
  return open.length === 0;
}

test("17: marks stay paired however often texts with unsolved conflicts are merged", () => {
  const line = fc.constantFrom("a", "b", "c", "");
  const lines = fc.array(line, { maxLength: 6 }).map((all) => all.join("\n"));
  fc.assert(
    fc.property(fc.array(lines, { minLength: 3, maxLength: 9 }), (texts) => {
      const known = [...texts];
      for (let round = 0; round < 8; round++) {
        const pick = (step: number): string => known[(round * step + 1) % known.length] as string;
        known.push(mergeTexts(pick(3), pick(5), pick(7), { left: `L${round}`, right: `R${round}` }));
      }
      expect(known.filter((text) => !hasPairedMarks(text))).toEqual([]);
    }),
  );
});
