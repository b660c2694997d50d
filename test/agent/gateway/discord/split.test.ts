import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { headOf, longestContent, splitText } from "../../../../agent/gateway/channels/discord/speak/split.ts";

const word = fc.constantFrom(
  "lobster",
  "**bold words**",
  "`code`",
  "👩🏽‍🚀",
  "🦞",
  "née",
  "@everyone",
  "<@123456>",
  "x".repeat(90),
);
const address = fc.webUrl({ withQueryParameters: true }).filter((url) => !/[()<>[\]`]/.test(url));
const link = fc.tuple(fc.constantFrom("the log", "details"), address).map(([words, url]) => `[${words}](${url})`);
const sentence = fc.array(fc.oneof({ weight: 8, arbitrary: word }, link, address), { minLength: 1, maxLength: 60 });
const line = fc
  .tuple(fc.constantFrom("", "- ", "> ", "## ", "1. ", "##### "), sentence)
  .map(([start, words]) => start + words.join(" "));
const code = fc
  .tuple(
    fc.constantFrom("", "ts", "sh", "diff"),
    fc.array(fc.string({ unit: "grapheme", maxLength: 300 }), { maxLength: 30 }),
  )
  .map(
    ([language, lines]) =>
      `\`\`\`${language}\n${lines.map((one) => `|${one.replace(/[`\n]/g, "'")}`).join("\n")}\n\`\`\``,
  );
const text = fc
  .array(fc.oneof({ weight: 3, arbitrary: line }, code, fc.constant("")), { maxLength: 40 })
  .map((all) => all.join("\n"));

/** What is said, without what splitting may add or take: blanks, fences, quote marks, invisible characters. */
function said(shown: string): string {
  return shown
    .replace(/^ *```.*$/gm, "")
    .replace(/^> /gm, "")
    .replace(/^#{4,6} (.*)$/gm, "**$1**")
    .replace(/\p{Cf}|\p{Cc}|\s|\u3164|[\u115f\u1160\uffa0]/gu, "");
}

function fences(part: string): number {
  return part.match(/```/g)?.length ?? 0;
}

describe("splitting a text", () => {
  test("keeps every part within the limit, balanced and not blank, and says the same", () => {
    fc.assert(
      fc.property(text, (whole) => {
        const parts = splitText(whole);
        for (const part of parts) {
          expect(part.length).toBeLessThanOrEqual(longestContent);
          expect(fences(part) % 2).toBe(0);
          expect(part.trim()).not.toBe("");
          expect(part.isWellFormed()).toBe(true);
        }
        expect(said(parts.join("\n"))).toBe(said(whole));
      }),
      { numRuns: 150 },
    );
  });

  test("takes any text at any limit without losing the limit, the balance or its mind", () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.oneof(
            fc.constantFrom("`", "```", "~~~", "\n", "|", "--", "[a](", "> "),
            fc.string({ unit: "binary" }),
          ),
          maxLength: 400,
        }),
        fc.integer({ min: 60, max: 400 }),
        (whole, limit) => {
          for (const part of splitText(whole, limit)) {
            expect(part.length).toBeLessThanOrEqual(limit);
            expect(part.trim()).not.toBe("");
            expect(part.isWellFormed()).toBe(true);
            expect(fences(part) % 2).toBe(0);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("never breaks a link, an address, inline code or an emoji that fits", () => {
    const pieces = [
      "[the log](https://example.org/a/b?c=d)",
      "https://example.org/some/long/path",
      "`npm run check`",
      "👩🏽‍🚀",
    ];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 60, max: 200 }),
        (words, limit) => {
          const found = splitText(words.join(" "), limit).flatMap((part) => part.trim().split(/(?<!\[the|`npm|run) /));
          expect(found).toEqual(words);
        },
      ),
    );
  });

  test("opens a code block again with its language", () => {
    const lines = Array.from({ length: 200 }, (_, index) => `const value${index} = ${index};`);
    const parts = splitText(`Here it is:\n\`\`\`ts\n${lines.join("\n")}\n\`\`\`\nThat is all.`);
    expect(parts.length).toBeGreaterThan(2);
    expect(parts[0]).toMatch(/^Here it is:\n```ts\nconst value0/);
    for (const part of parts.slice(1)) expect(part).toMatch(/^```ts\nconst value/);
    expect(parts.at(-1)).toMatch(/;\n```\nThat is all\.$/);
  });

  test("moves a code block on whole rather than breaking it", () => {
    const block = `\`\`\`\n${"x".repeat(1_200)}\n\`\`\``;
    expect(splitText(`${"word ".repeat(250)}\n\n${block}`)).toEqual(["word ".repeat(250), block]);
  });

  test("closes a code block that the text leaves open, and takes other fences for the same", () => {
    expect(splitText("```sh\nls")).toEqual(["```sh\nls\n```"]);
    expect(splitText("~~~js\n```\n~~~")).toEqual(["```js\n`\u200b``\n```"]);
    expect(splitText("````md\n```js\n1\n```\n````")[0]?.match(/```/g)).toHaveLength(2);
    expect(splitText("an odd ``` in a line")[0]).not.toContain("```");
  });

  test("puts into words what Discord has no form for", () => {
    expect(splitText("#### Small heading")).toEqual(["**Small heading**"]);
    expect(splitText("- [x] done\n- [ ] open")).toEqual(["- ☑ done\n- ☐ open"]);
    expect(splitText("![a chart](https://example.org/c.png)")).toEqual(["[a chart](https://example.org/c.png)"]);
    expect(
      splitText("Two:\n| name | state |\n|---|:-:|\n| one | **ready** |\n| a longer one | `lost` |\nEnd."),
    ).toEqual([
      "Two:\n```\nname          state\n────────────  ─────\none           ready\na longer one  lost\n```\nEnd.",
    ]);
  });
});

describe("text from anywhere", () => {
  test("calls nobody", () => {
    const shown = splitText("@everyone @here @EVERYONE <@1234567> <@!1234567> <@&1234567> <#1234567> a@b.org").join("");
    expect(shown).not.toMatch(/@(everyone|here)/i);
    expect(shown).not.toMatch(/<@[!&]?\d/);
    expect(shown).toContain("<#1234567> a@b.org");
    expect(splitText("`npm i @here`")[0]).not.toContain("@here");
  });

  test("shows no characters that turn or hide text", () => {
    expect(splitText("a\u202egnp.exe\u202c \u0007b\u200b\u2066c\ufeff\u{e0041}\ud800")).toEqual(["agnp.exe bc\ufffd"]);
    expect(splitText("👩🏽‍🚀 می‌خواهم")).toEqual(["👩🏽‍🚀 می‌خواهم"]);
    expect(splitText("one\r\ntwo\u2028three")).toEqual(["one\ntwo\nthree"]);
  });

  test("shows where a link goes whose words name another place", () => {
    expect(splitText("[https://discord.com](https://evil.example/x)")).toEqual([
      "https://discord.com (<https://evil.example/x>)",
    ]);
    expect(splitText("[github.com/a/b](https://github.com/a/b)")).toEqual(["[github.com/a/b](https://github.com/a/b)"]);
    expect(splitText("[see here](https://example.org)")).toEqual(["[see here](https://example.org)"]);
  });

  test("is nothing when there is nothing to see", () => {
    expect(splitText(" \n\u200b\n```\n\n```")).toEqual([]);
  });
});

test("a megabyte is split in less than two seconds", () => {
  const start = performance.now();
  expect(splitText("some words and `code` ".repeat(50_000)).length).toBeGreaterThan(500);
  splitText("x".repeat(100_000));
  expect(performance.now() - start).toBeLessThan(2_000);
});

test("the head of a long text is one balanced message", () => {
  const head = headOf(`Intro\n\`\`\`\n${"line of code\n".repeat(900)}\`\`\``, 1_200);
  expect(head.length).toBeLessThanOrEqual(1_200);
  expect(head).toMatch(/^Intro\n```\nline of code\n[\s\S]*```$/);
});
