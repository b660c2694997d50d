/** Reads which of our files import what: enough of a parser for imports as they are written here. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, sep } from "node:path";

export interface Import {
  /** As written: `./tool.ts`, `zod`, `node:fs`. */
  specifier: string;
  /** Erased before the program runs. */
  isTypeOnly: boolean;
}

/** Imports of each file, by its path from the root. Relative specifiers are resolved to such paths. */
export type ImportGraph = Map<string, Import[]>;

const clause = String.raw`(?:[\w$]+\s*,\s*)?(?:\{[^}]*\}|\*\s*as\s+[\w$]+|\*|[\w$]+)`;

/** `import x, { y } from "z"`, `export * from "z"`, with `type` in front where the whole of it is types. */
const fromStatement = new RegExp(
  String.raw`^[ \t]*(?:import|export)\s+(type\s+)?(${clause})\s*from\s*["']([^"']+)["']`,
  "gm",
);
const bareImport = /^[ \t]*import\s*["']([^"']+)["']/gm;
/** `import("x")` in code; `typeof import("x")` and `import("x").SomeType` are types. */
const dynamicImport = /(typeof\s+)?\bimport\(\s*["'`]([^"'`$]+)["'`]\s*[,)](\.[A-Z])?/g;

/** Finds static, bare, dynamic and re-exporting imports of a TypeScript text. */
export function parseImports(text: string): Import[] {
  const code = withoutComments(text);
  const found: Import[] = [];
  for (const [, type, names = "", specifier = ""] of code.matchAll(fromStatement)) {
    found.push({ specifier, isTypeOnly: type !== undefined || hasOnlyTypes(names) });
  }
  for (const [, specifier = ""] of code.matchAll(bareImport)) found.push({ specifier, isTypeOnly: false });
  for (const [, typeOf, specifier = "", typeName] of code.matchAll(dynamicImport)) {
    found.push({ specifier, isTypeOnly: typeOf !== undefined || typeName !== undefined });
  }
  return found;
}

/** `{ type A, type B }`. */
function hasOnlyTypes(names: string): boolean {
  const list = /^\{([^}]*)\}$/.exec(names.trim())?.[1];
  if (list === undefined) return false;
  const members = list
    .split(",")
    .map((member) => member.trim())
    .filter((member) => member !== "");
  return members.length > 0 && members.every((member) => member.startsWith("type "));
}

/** Comments may show an import as an example; strings that hold `//` are kept. */
function withoutComments(text: string): string {
  return text.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g,
    (_, string) => string ?? "",
  );
}

/** Reads every `.ts` file below the folders. */
export function readImportGraph(root: string, folders: string[]): ImportGraph {
  const graph: ImportGraph = new Map();
  for (const folder of folders) {
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith(".ts")) continue;
      const path = join(entry.parentPath, entry.name);
      const file = relative(root, path).split(sep).join("/");
      graph.set(file, resolveImports(file, parseImports(readFileSync(path, "utf8"))));
    }
  }
  return graph;
}

export function resolveImports(file: string, imports: Import[]): Import[] {
  return imports.map((item) =>
    item.specifier.startsWith(".") ? { ...item, specifier: posix.join(dirname(file), item.specifier) } : item,
  );
}

/** The way by which `from` reaches a file or package that `isTarget` accepts, types aside; null when it does not. */
export function findPath(graph: ImportGraph, from: string, isTarget: (specifier: string) => boolean): string[] | null {
  const cameFrom = new Map<string, string | null>([[from, null]]);
  for (const file of cameFrom.keys()) {
    for (const { specifier, isTypeOnly } of graph.get(file) ?? []) {
      if (isTypeOnly || cameFrom.has(specifier)) continue;
      cameFrom.set(specifier, file);
      if (isTarget(specifier)) return walkBack(cameFrom, specifier);
    }
  }
  return null;
}

function walkBack(cameFrom: Map<string, string | null>, end: string): string[] {
  const path: string[] = [];
  for (let at: string | null | undefined = end; at; at = cameFrom.get(at)) path.unshift(at);
  return path;
}

/** Every import cycle once, as the files on it; type-only imports make none. */
export function findCycles(graph: ImportGraph): string[][] {
  const cycles = new Map<string, string[]>();
  for (const file of graph.keys()) {
    const path = findPath(graph, file, (specifier) =>
      (graph.get(specifier) ?? []).some((item) => !item.isTypeOnly && item.specifier === file),
    );
    const isSelf = (graph.get(file) ?? []).some((item) => !item.isTypeOnly && item.specifier === file);
    const cycle = isSelf ? [file] : path;
    if (!cycle) continue;
    const key = [...cycle].sort().join("\n");
    if (!cycles.has(key)) cycles.set(key, cycle);
  }
  return [...cycles.values()];
}
