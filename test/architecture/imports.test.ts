import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { findCycles, type ImportGraph, parseImports, readImportGraph, resolveImports } from "./import-graph.ts";
import { findViolations } from "./rules.ts";

const root = dirname(dirname(import.meta.dirname));

test("imports point inwards only: agent, then tools, then memory; mind and gateway apart; no cycles", () => {
  const graph = readImportGraph(root, ["agent", "bootstrap", "docs", "memory", "test", "tools"]);
  const toolFiles = new Set(
    [...graph.keys()].filter(
      (file) =>
        /^tools\/[^/]+\.ts$/.test(file) &&
        file !== "tools/tool.ts" &&
        /\bdefine(ReadTool|Operation)\(/.test(readFileSync(join(root, file), "utf8")),
    ),
  );
  expect(graph.size).toBeGreaterThan(20);
  expect(findViolations(graph, toolFiles)).toEqual([]);
});

describe("reading imports", () => {
  test("finds every way in which a file loads another", () => {
    const text = `
import { a, type B } from "./a.ts";
import c, { d } from "./c.ts";
import * as e from "./e.ts";
import {
  f,
  g,
} from "./f.ts";
import "./h.ts";
export { i } from "./i.ts";
export * from "./j.ts";
export * as k from "./k.ts";
const l = await import("./l.ts");
const m = import('./m.ts').then((module) => module.default);
const n = import("./n.json", { with: { type: "json" } });
`;
    const found = parseImports(text);
    expect(found.map(({ specifier }) => specifier).sort()).toEqual(
      ["a", "c", "e", "f", "h", "i", "j", "k", "l", "m"].map((name) => `./${name}.ts`).concat("./n.json"),
    );
    expect(found.filter(({ isTypeOnly }) => isTypeOnly)).toEqual([]);
  });

  test("knows which imports are erased before the program runs", () => {
    const text = `
import type { A } from "./a.ts";
import type B from "./b.ts";
import { type C, type D } from "./c.ts";
export type { E } from "./e.ts";
type F = import("./f.ts").F;
let g: typeof import("./g.ts");
`;
    const found = parseImports(text);
    expect(found).toHaveLength(6);
    expect(found.filter(({ isTypeOnly }) => !isTypeOnly)).toEqual([]);
  });

  test("is not misled by comments and strings", () => {
    const text = `
// import { a } from "./a.ts";
/* const b = await import("./b.ts");
import "./c.ts"; */
const address = "https://example.com"; import("./d.ts");
const from = "import x from './e.ts'";
`;
    expect(parseImports(text)).toEqual([{ specifier: "./d.ts", isTypeOnly: false }]);
  });
});

describe("judging imports", () => {
  const wrong: [title: string, files: { [file: string]: string }, message: string][] = [
    [
      "memory that uses a tool",
      { "memory/a.ts": 'import { x } from "../tools/json.ts";' },
      "memory/a.ts imports tools/json.ts",
    ],
    [
      "a tool that uses the agent",
      { "tools/a.ts": 'import type { X } from "../agent/b.ts";' },
      "tools/a.ts imports agent/b.ts",
    ],
    [
      "a tool that uses a tool",
      { "tools/one.ts": 'import { x } from "./two.ts";', "tools/two.ts": "" },
      "tools/one.ts imports tools/two.ts",
    ],
    [
      "a mind that uses the gateway",
      { "agent/mind/a.ts": 'import { x } from "../gateway/b.ts";' },
      "agent/mind/a.ts imports agent/gateway/b.ts",
    ],
    [
      "a gateway that uses the mind",
      { "agent/gateway/a.ts": 'import { x } from "../mind/b.ts";' },
      "agent/gateway/a.ts imports agent/mind/b.ts",
    ],
    [
      "a shared file that uses the gateway",
      { "agent/a.ts": 'import { x } from "./gateway/b.ts";' },
      "agent/a.ts imports agent/gateway/b.ts",
    ],
    [
      "a mind that reaches the gateway by a detour",
      { "agent/mind/a.ts": 'import { x } from "../main.ts";', "agent/main.ts": 'import { x } from "./gateway/b.ts";' },
      "agent/mind/a.ts reaches agent/gateway/b.ts (agent/mind/a.ts → agent/main.ts → agent/gateway/b.ts)",
    ],
    [
      "a mind that reaches a cloud SDK by a detour, loaded when used",
      {
        "agent/mind/a.ts": 'import { x } from "../../tools/b.ts";',
        "tools/b.ts": 'const s3 = await import("@aws-sdk/client-s3");',
      },
      "agent/mind/a.ts reaches @aws-sdk/client-s3 (agent/mind/a.ts → tools/b.ts → @aws-sdk/client-s3)",
    ],
    [
      "a mind that loads discord.js",
      { "agent/mind/a.ts": 'import "discord.js";' },
      "agent/mind/a.ts reaches discord.js",
    ],
    [
      "a loop with an SDK",
      { "agent/mind/loop.ts": 'import OpenAI from "openai";' },
      "agent/mind/loop.ts imports openai",
    ],
    [
      "a page with a package",
      { "agent/console/pages/a.ts": 'import { z } from "zod";' },
      "agent/console/pages/a.ts imports zod",
    ],
    [
      "a program that uses its tests",
      { "agent/a.ts": 'import { x } from "../test/b.ts";' },
      "agent/a.ts imports test/b.ts",
    ],
    [
      "a cycle",
      { "tools/x/a.ts": 'import "./b.ts";', "tools/x/b.ts": 'import "./c.ts";', "tools/x/c.ts": 'import "./a.ts";' },
      "tools/x/a.ts → tools/x/b.ts → tools/x/c.ts → tools/x/a.ts: an import cycle",
    ],
    [
      "a file that imports itself",
      { "tools/x/a.ts": 'import "./a.ts";' },
      "tools/x/a.ts → tools/x/a.ts: an import cycle",
    ],
  ];

  test.each(wrong)("refuses %s and names both files", (_title, files, message) => {
    const violations = judge(files);
    expect(violations).toHaveLength(1);
    expect(violations[0]).toContain(message);
  });

  test("accepts what the rooms allow", () => {
    const files = {
      "agent/main.ts": 'import { x } from "./cli/up.ts"; import("./mind/main.ts");',
      "agent/cli/up.ts": 'import { x } from "../gateway/main.ts";',
      "agent/gateway/main.ts": 'import { S3 } from "@aws-sdk/client-s3"; import { x } from "../../tools/one.ts";',
      "agent/mind/model.ts": 'import OpenAI from "openai"; import { x } from "../config.ts";',
      "agent/config.ts": 'import { z } from "zod";',
      "agent/console/pages/a.ts":
        'import { html } from "lit"; import { b } from "./b.ts"; import type { X } from "../../protocol.ts";',
      "tools/one.ts": 'import { tool } from "./tool.ts"; import type { Memory } from "../memory/index.ts";',
      "memory/a.ts": 'import type { B } from "./b.ts";',
      "memory/b.ts": 'import { a } from "./a.ts";',
    };
    expect(judge(files)).toEqual([]);
  });

  test("tells each cycle once", () => {
    const graph = graphOf({ "a/a.ts": 'import "./b.ts";', "a/b.ts": 'import "./a.ts";', "a/c.ts": 'import "./a.ts";' });
    expect(findCycles(graph)).toEqual([["a/a.ts", "a/b.ts"]]);
  });
});

function graphOf(files: { [file: string]: string }): ImportGraph {
  const text = (code: string): string => code.replaceAll("; import", ";\nimport");
  return new Map(Object.entries(files).map(([file, code]) => [file, resolveImports(file, parseImports(text(code)))]));
}

function judge(files: { [file: string]: string }): string[] {
  return findViolations(graphOf(files), new Set(["tools/one.ts", "tools/two.ts"]));
}
