/**
 * Text that the code knows better than a writer: tables in README.md, docs/ and workspace/TOOLS.md, between `<!-- generated:NAME -->` and
 * `<!-- /generated -->`. Without arguments it writes them anew; with `--check` it only tells which are stale.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { generators } from "./tables.ts";

/** The text with every generated block filled anew. Throws when a block has a name that nobody generates, or no end. */
export function regenerate(text: string, file: string): string {
  const parts = text.split(/^(<!-- generated:[^>]* -->)$/m);
  let result = parts[0] ?? "";
  for (let index = 1; index < parts.length; index += 2) {
    const opening = parts[index] ?? "";
    const name = /^<!-- generated:(.*) -->$/.exec(opening)?.[1] ?? "";
    const generate = Object.hasOwn(generators, name) ? generators[name] : undefined;
    if (!generate) throw new Error(`${file}: nobody generates “${name}”; known: ${Object.keys(generators).join(", ")}`);
    const rest = parts[index + 1] ?? "";
    const end = rest.search(/^<!-- \/generated -->$/m);
    if (end < 0) throw new Error(`${file}: the generated block “${name}” has no <!-- /generated --> line`);
    result += `${opening}\n\n${generate().trim()}\n\n${rest.slice(end)}`;
  }
  return result;
}

/** README.md, every page below docs/, and what of the workspace's templates is made from the code. */
function documents(root: string): string[] {
  const pages = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(root, "docs", name));
  return [join(root, "README.md"), ...pages.sort(), join(root, "workspace", "TOOLS.md")];
}

function main(parameters: string[]): void {
  const root = dirname(import.meta.dirname);
  const isCheck = parameters.includes("--check");
  for (const path of documents(root)) {
    const file = relative(root, path);
    const text = readIfThere(path);
    if (text === null) continue;
    const next = regenerate(text, file);
    if (next === text) continue;
    if (isCheck) {
      console.error(`${file} is stale: run \`npm run docs\` and commit what it changes`);
      process.exitCode = 1;
    } else {
      writeFileSync(`${path}.new`, next);
      renameSync(`${path}.new`, path);
      console.log(`wrote ${file}`);
    }
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

if (import.meta.main) main(process.argv.slice(2));
