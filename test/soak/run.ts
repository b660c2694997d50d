/**
 * `npm run soak`: kills the gateway at one point of one step at a time, for every point of every operation, and writes
 * what came out of it into docs/reliability.md. Options: `--only launch,undo,…`, or just their names, runs some of
 * them and leaves the others' figures as they are; `--minutes N` (default 45) ends it by then.
 */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";
import { type SoakKind, type SoakResult, soakKinds } from "./kinds.ts";
import { replaceRows, rowsOf } from "./table.ts";

const root = dirname(dirname(import.meta.dirname));
const page = join(root, "docs", "reliability.md");
const pollMs = 500;

function say(text: string): void {
  writeSync(1, `${text}\n`);
}

function readResults(path: string): SoakResult[] {
  const text = readFileSync(path, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as SoakResult);
}

function describe({ kind, point, index, of, seconds, failure }: SoakResult): string {
  const how = failure === null ? "survived" : `FAILED: ${failure}`;
  return `${kind} ${index}/${of} ${point}: ${how} (${seconds.toFixed(1)} s)`;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { only: { type: "string" }, minutes: { type: "string", default: "45" } },
    allowPositionals: true,
  });
  const named = [...positionals, ...(values.only?.split(",") ?? [])];
  const chosen = named.length > 0 ? named : [...soakKinds];
  const unknown = chosen.filter((one) => !soakKinds.includes(one as SoakKind));
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(", ")}; known: ${soakKinds.join(", ")}`);
  process.chdir(root);
  const directory = mkdtempSync(join(tmpdir(), "clawdinator-soak-"));
  const results = join(directory, "results.jsonl");
  writeFileSync(results, "");
  Object.assign(process.env, { SOAK_ONLY: chosen.join(","), SOAK_MINUTES: values.minutes, SOAK_RESULTS: results });

  let told = 0;
  const tell = (): void => {
    for (const result of readResults(results).slice(told)) {
      say(describe(result));
      told++;
    }
  };
  const telling = setInterval(tell, pollMs);
  const vitest = await startVitest("test", [], {
    include: ["test/soak/*.soak.ts"],
    watch: false,
    reporters: ["minimal"],
    maxWorkers: 1,
  });
  clearInterval(telling);
  tell();
  await vitest.close();

  const rows = rowsOf(readResults(results));
  const text = replaceRows(readFileSync(page, "utf8"), rows);
  writeFileSync(`${page}.new`, text);
  renameSync(`${page}.new`, page);
  rmSync(directory, { recursive: true, force: true });
  say("");
  for (const row of rows) say(row.text);
  process.exit(process.exitCode ?? 0);
}

await main();
