/** What the pages promise is there: files, headings and commands. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import { buildCommandLine } from "../../agent/cli/command-line.ts";

const root = join(import.meta.dirname, "..", "..");

const pages = [
  "README.md",
  ".github/CONTRIBUTING.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join("docs", name)),
];

const read = (page: string): string => readFileSync(join(root, page), "utf8");

/** A heading's anchor, as GitHub makes it. */
function anchorsOf(text: string): Set<string> {
  const headings = [...text.matchAll(/^#{1,6} (.+)$/gm)].map((match) => match[1] ?? "");
  const plain = headings.map((heading) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, ""));
  return new Set(plain.map((heading) => heading.replaceAll(" ", "-")));
}

test("every link and picture leads to a file and a heading that exist", () => {
  const broken: string[] = [];
  for (const page of pages) {
    const text = read(page);
    const targets = [...text.matchAll(/\]\(([^)\s]+)\)|src="([^"]+)"/g)].map((match) => match[1] ?? match[2] ?? "");
    for (const target of targets) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = "", anchor] = target.split("#");
      const path = file === "" ? join(root, page) : join(root, dirname(page), file);
      const isThere = existsSync(path);
      const isMissingHeading = isThere && anchor && !anchorsOf(readFileSync(path, "utf8")).has(anchor);
      if (!isThere || isMissingHeading) broken.push(`${page}: ${target}`);
    }
  }
  expect(broken).toEqual([]);
});

test("every command that a page prints exists, with its options", () => {
  const program = buildCommandLine();
  const wrong: string[] = [];
  let found = 0;
  for (const page of pages) {
    for (const [, line = ""] of read(page).matchAll(
      /(?:clawdinator(?: --)?|\.\/bootstrap\/run) ([a-z]+(?: [^`\n|│]*)?)/g,
    )) {
      const words = line.split(/\s+/);
      const first = program.commands.find((command) => command.name() === words[0]);
      if (!first) continue;
      found += 1;
      const [second = ""] = words.slice(1);
      const command = first.commands.length === 0 ? first : first.commands.find((child) => child.name() === second);
      // A group by itself, and `fleet …` in a sentence, name no command.
      if (!command && /^[a-z]+$/.test(second)) wrong.push(`${page}: ${line}`);
      const options = words.flatMap((word) => /^--[a-z-]+/.exec(word)?.[0] ?? []);
      const known = new Set(command?.options.map((option) => option.long));
      if (command)
        wrong.push(...options.filter((option) => !known.has(option)).map((option) => `${page}: ${option} in ${line}`));
    }
  }
  expect(wrong).toEqual([]);
  expect(found).toBeGreaterThan(40);
});

test("each decision has a number of its own, in order, and says what was rejected", () => {
  const decisions = pages.filter((page) => page.startsWith(join("docs", "decisions"))).sort();
  const numbers = decisions.map((page) => Number(/(\d{4})-/.exec(page)?.[1]));
  expect(numbers).toEqual(numbers.map((_number, index) => index + 1));
  for (const page of decisions) {
    const text = read(page);
    expect(text.startsWith(`# ${Number(/(\d{4})-/.exec(page)?.[1])}. `), relative(root, page)).toBe(true);
    for (const heading of ["Context", "Decision", "Consequences", "Rejected"]) {
      expect(text, page).toContain(`\n## ${heading}\n`);
    }
  }
});
