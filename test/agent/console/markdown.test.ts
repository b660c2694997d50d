import { expect, test } from "vitest";
import { parseMarkdown } from "../../../agent/console/pages/lib/markdown.ts";

test("reads paragraphs, lists, fenced code, bold, code and links", () => {
  const text =
    "Hello **you**, run `x`\nnow.\n\n- one\n- [two](https://example.org/a?b=1)\n\n1. first\n\n```sh\n<b>\n```";
  expect(parseMarkdown(text)).toEqual([
    {
      kind: "paragraph",
      lines: [
        [
          { kind: "text", text: "Hello " },
          { kind: "strong", text: "you" },
          { kind: "text", text: ", run " },
          { kind: "code", text: "x" },
        ],
        [{ kind: "text", text: "now." }],
      ],
    },
    {
      kind: "list",
      ordered: false,
      items: [[{ kind: "text", text: "one" }], [{ kind: "link", text: "two", href: "https://example.org/a?b=1" }]],
    },
    { kind: "list", ordered: true, items: [[{ kind: "text", text: "first" }]] },
    { kind: "code", text: "<b>" },
  ]);
});

test("code that still streams in shows as code", () => {
  expect(parseMarkdown("```\nhalf")).toEqual([{ kind: "code", text: "half" }]);
});

test.each([
  "[a](javascript:alert(1))",
  "[a](JaVaScRiPt:alert)",
  "[a](data:text/html,x)",
  "[a](//example.org)",
  "[a](/api/logout)",
  "[a](http://)",
])("leaves %s as text", (text) => {
  expect(parseMarkdown(text)).toEqual([{ kind: "paragraph", lines: [[{ kind: "text", text }]] }]);
});

test("a bare address ends before the punctuation behind it", () => {
  expect(parseMarkdown("see https://example.org/a.")).toEqual([
    {
      kind: "paragraph",
      lines: [
        [
          { kind: "text", text: "see " },
          { kind: "link", text: "https://example.org/a", href: "https://example.org/a" },
          { kind: "text", text: "." },
        ],
      ],
    },
  ]);
});

test("a long line of half-finished marks is read to its end", () => {
  // With a pattern that goes back over it again and again this would outlast the test's time.
  for (const piece of ["[a](", "**", "`", "https://", "[", "| "]) {
    expect(parseMarkdown(piece.repeat(8000)).length).toBeGreaterThan(0);
  }
});
