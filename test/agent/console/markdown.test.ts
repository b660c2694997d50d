import { describe, expect, test } from "vitest";
import { type Block, parseMarkdown } from "../../../agent/console/pages/lib/markdown.ts";
import type { Inline } from "../../../agent/console/pages/lib/markdown-inline.ts";

const words = (text: string): Inline => ({ kind: "text", text });
const paragraph = (...content: Inline[]): Block => ({ kind: "paragraph", lines: [content] });
const item = (...blocks: Block[]) => ({ isDone: null, blocks });

test("reads paragraphs, lists, fenced code, bold, code and links", () => {
  const text =
    "Hello **you**, run `x`\nnow.\n\n- one\n- [two](https://example.org/a?b=1)\n\n1. first\n\n```sh\n<b>\n```";
  const link: Inline = { kind: "link", content: [words("two")], href: "https://example.org/a?b=1" };
  expect(parseMarkdown(text)).toEqual([
    {
      kind: "paragraph",
      lines: [
        [words("Hello "), { kind: "strong", content: [words("you")] }, words(", run "), { kind: "code", text: "x" }],
        [words("now.")],
      ],
    },
    { kind: "list", ordered: false, start: 1, items: [item(paragraph(words("one"))), item(paragraph(link))] },
    { kind: "list", ordered: true, start: 1, items: [item(paragraph(words("first")))] },
    { kind: "code", text: "<b>" },
  ]);
});

test("reads headings, quotes, rules, tables and tasks", () => {
  const text = "## Who ##\n> *soft* shell\n\n---\n| a | b |\n|---|:-:|\n| 1 | `2` |\n\n- [x] done\n- [ ] to do";
  expect(parseMarkdown(text)).toEqual([
    { kind: "heading", level: 2, content: [words("Who")] },
    {
      kind: "quote",
      blocks: [paragraph({ kind: "emphasis", content: [words("soft")] }, words(" shell"))],
    },
    { kind: "rule" },
    {
      kind: "table",
      head: [[words("a")], [words("b")]],
      rows: [[[words("1")], [{ kind: "code", text: "2" }]]],
    },
    {
      kind: "list",
      ordered: false,
      start: 1,
      items: [
        { isDone: true, blocks: [paragraph(words("done"))] },
        { isDone: false, blocks: [paragraph(words("to do"))] },
      ],
    },
  ]);
  expect(parseMarkdown("| no | rule |\n| below | it |")).toEqual([
    { kind: "code", text: "| no | rule |\n| below | it |" },
  ]);
});

test("in files, wrapped lines flow together and items hold what is indented below them", () => {
  const text = "one\ntwo  \nthree\n\n- first\n  goes on\n  - inner\n\n  and on\n- second";
  expect(parseMarkdown(text, { isFlowing: true })).toEqual([
    { kind: "paragraph", lines: [[words("one two")], [words("three")]] },
    {
      kind: "list",
      ordered: false,
      start: 1,
      items: [
        item(
          paragraph(words("first goes on")),
          { kind: "list", ordered: false, start: 1, items: [item(paragraph(words("inner")))] },
          paragraph(words("and on")),
        ),
        item(paragraph(words("second"))),
      ],
    },
  ]);
});

test("marks within words, escaped ones and unfinished ones stay text", () => {
  for (const text of ["snake_case_name", "2*3*4", "a ** b", "`open", "[a]", "[a](b c)"]) {
    expect(parseMarkdown(text)).toEqual([paragraph(words(text))]);
  }
  expect(parseMarkdown("\\*no\\* \\[x](y)")).toEqual([paragraph(words("*no* [x](y)"))]);
});

test("code that still streams in shows as code", () => {
  expect(parseMarkdown("```\nhalf")).toEqual([{ kind: "code", text: "half" }]);
});

test("a picture is a link to it: nothing is loaded", () => {
  const link: Inline = { kind: "link", content: [words("cat")], href: "https://example.org/cat.png" };
  expect(parseMarkdown("![cat](https://example.org/cat.png)")).toEqual([paragraph(link)]);
});

test.each([
  "[a](javascript:alert(1))",
  "[a](JaVaScRiPt:alert)",
  "[a](data:text/html,x)",
  "[a](//example.org)",
  "[a](/api/logout)",
  "[a](http://)",
])("leaves %s as text", (text) => {
  expect(parseMarkdown(text)).toEqual([paragraph(words(text))]);
});

test("a bare address ends before the punctuation behind it", () => {
  const link: Inline = {
    kind: "link",
    content: [words("https://example.org/a")],
    href: "https://example.org/a",
  };
  expect(parseMarkdown("see https://example.org/a.")).toEqual([paragraph(words("see "), link, words("."))]);
});

describe("text of hundreds of thousands of marks is read to its end", () => {
  // With a pattern that goes back over it again and again this would outlast the test's time.
  const pieces = ["[a](", "**", "`", "` `` ", "https://", "[", "![", "| ", "_a ", "- ", ">", "*a ", "\\", "---x"];
  test.each(pieces)("%j in one line, in long lines and in short ones", (piece) => {
    const whole = piece.repeat(250_000 / piece.length);
    for (const length of [250_000, 19_000, 90]) {
      const text = (whole.match(new RegExp(`[\\s\\S]{1,${length}}`, "g")) ?? []).join("\n");
      expect(parseMarkdown(text, { isFlowing: length === 90 }).length).toBeGreaterThan(0);
    }
  });
});
