import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { regenerate } from "../../docs/generate.ts";
import { operations } from "../../tools/operations.ts";
import { readTools } from "../../tools/read-tools.ts";
import { silentAnswer } from "../../tools/sitrep.ts";
import { asPlainText, placesOf, readResponse, responseNames } from "../../tools/workspace/canned.ts";
import { openWorkspace } from "../../tools/workspace/files.ts";
import { listSkills } from "../../tools/workspace/skills.ts";
import { placeholders, programWorkspace, readTemplates } from "../../tools/workspace/template.ts";

const values = { name: "CLAWDINATOR-2", instance: "i-2" };
const files = openWorkspace({ directory: undefined, values });

/** Tools that are planned and that the skills say how to do without. */
const announced = [
  "github_search",
  "github_thread",
  "attention",
  "repo_read",
  "repo_search",
  "github_comment",
  "github_label",
  "github_close",
  "github_pull_request",
  "github_land",
  "code",
  "publish",
  "flake_update",
  "self_update",
];

test("every skill is whole, and names only tools that exist or are announced", async () => {
  const { skills, warnings } = await listSkills(files);
  expect(warnings).toEqual([]);
  expect(skills.map(({ name }) => name)).toEqual(["distill-pr-intent", "fleet", "land-pr", "lurk", "triage"]);
  const known = new Set([...readTools, ...operations].map(({ name }) => name));
  for (const { name, tools, body } of skills) {
    expect(tools.length).toBeGreaterThan(0);
    for (const tool of tools) expect([...known, ...announced], `${name} names ${tool}`).toContain(tool);
    for (const tool of tools.filter((one) => !known.has(one) && body.includes(`\`${one}\``)))
      expect(body, `${name} says what to do without ${tool}`).toMatch(/^Without /m);
    const mentioned = [...body.matchAll(/`([a-z]+_[a-z_]+)`/g)].map((match) => match[1]);
    for (const tool of mentioned) expect(tools, `${name} mentions ${tool}`).toContain(tool);
  }
});

test("TOOLS.md is what the tools say, announces what is planned, and keeps a part for notes", () => {
  const text = readFileSync(join(programWorkspace, "TOOLS.md"), "utf8");
  expect(regenerate(text, "workspace/TOOLS.md")).toBe(text);
  for (const tool of [...readTools, ...operations]) expect(text).toContain(`- \`${tool.name}\`: `);
  for (const tool of announced) expect(text).toContain(`\`${tool}\``);
  expect(text).toMatch(/<!-- notes: [^>]*-->[\s\S]*<!-- \/notes -->/);
});

test("templates ask only for values that are known", async () => {
  const known = new Set(Object.keys(placeholders));
  for (const { path, source } of await readTemplates(values)) {
    for (const match of source.matchAll(/\{\{(.*?)\}\}/g)) expect(known, path).toContain(match[1]);
  }
});

test("the heartbeat's word for silence is the one that the schedule listens for", async () => {
  expect(await files.read("HEARTBEAT.md")).toContain(silentAnswer);
});

test("every canned response has at least four different lines and a text, and asks for few values", async () => {
  const names = await responseNames(files);
  for (const name of ["approving", "changes", "closing", "duplicate", "needs-info", "stale-pr", "thanks"])
    expect(names).toContain(name);
  for (const name of names) {
    const { lines, body } = await readResponse(files, name);
    expect(new Set(lines).size).toBeGreaterThanOrEqual(4);
    expect(body.length).toBeGreaterThan(100);
    for (const place of placesOf(...lines, body)) expect(["author", "number", "original", "reason"]).toContain(place);
    // What a template writes itself must not call or format anything either.
    for (const line of lines) expect(line).not.toMatch(/@|\*\*|<|`/);
  }
});

test("a value is text: it calls nobody, links nothing and formats nothing", () => {
  expect(asPlainText("ada")).toBe("ada");
  expect(asPlainText("@everyone see #12")).toBe("@\u200beveryone see #\u200b12");
  expect(asPlainText("**bold** [x](http://y) `code` <b>")).toBe(
    "\\*\\*bold\\*\\* \\[x\\]\\(http://y\\) \\`code\\` \\<b\\>",
  );
  expect(asPlainText("one\n\n# two\u202e\u0000three")).toBe("one #\u200b two three");
  expect(asPlainText("x".repeat(9_000))).toHaveLength(500);
});
