/**
 * `npm run check`: everything that can be said about the code without running the suite; changes nothing.
 * `npm run fix` (`--fix`): mends what can be mended first, then checks.
 */
import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";

interface Check {
  name: string;
  /** Program in `node_modules/.bin`, or `node`, and its arguments. */
  command: string[];
}

interface Outcome {
  check: Check;
  ok: boolean;
  output: string;
  seconds: number;
}

const node = ["node", "--disable-warning=ExperimentalWarning"];

const fixes: Check[] = [
  { name: "generated text", command: [...node, "docs/generate.ts"] },
  { name: "format, lint, imports", command: ["biome", "check", "--write", "."] },
];

/** Slowest first: they run side by side. */
const checks: Check[] = [
  { name: "unused code (knip)", command: ["knip", "--no-progress"] },
  { name: "import directions", command: ["vitest", "run", "--reporter=minimal", "test/architecture"] },
  { name: "types", command: ["tsc", "-p", "."] },
  { name: "types of the console", command: ["tsc", "-p", "tsconfig.pages.json", "--noEmit"] },
  { name: "format, lint, imports (biome)", command: ["biome", "check", "--error-on-warnings", "."] },
  { name: "generated text is current", command: [...node, "docs/generate.ts", "--check"] },
];

const root = dirname(import.meta.dirname);
const programs = join(root, "node_modules", ".bin");

function run(check: Check): Promise<Outcome> {
  const [command = "", ...parameters] = check.command;
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const child = spawn(command === "node" ? process.execPath : join(programs, command), parameters, {
      cwd: root,
      stdio: ["ignore", "pipe", "pipe"],
      // The tools find this Node through PATH.
      env: { ...process.env, PATH: [dirname(process.execPath), programs, process.env.PATH].join(delimiter) },
    });
    let output = "";
    const collect = (chunk: Buffer): void => {
      output += chunk;
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const end = (ok: boolean): void => {
      resolve({ check, ok, output, seconds: (performance.now() - startedAt) / 1000 });
    };
    child.once("error", (error) => {
      output += `${command} could not be started: ${error.message}\n`;
      end(false);
    });
    child.once("close", (code) => end(code === 0));
  });
}

function report(outcome: Outcome): void {
  if (outcome.ok) return;
  console.log(`\n── ${outcome.check.name}: ${outcome.check.command.join(" ")}\n\n${outcome.output.trim()}`);
}

function printTable(outcomes: Outcome[]): void {
  const width = Math.max(...outcomes.map(({ check }) => check.name.length));
  console.log("");
  for (const { check, ok, seconds } of outcomes) {
    console.log(`${ok ? "✓ passed" : "✗ FAILED"}  ${check.name.padEnd(width)}  ${seconds.toFixed(1).padStart(5)} s`);
  }
}

async function main(parameters: string[]): Promise<void> {
  const unknown = parameters.filter((parameter) => parameter !== "--fix");
  if (unknown.length > 0) {
    console.error(`unknown argument ${unknown.join(" ")}; usage: npm run check, npm run fix`);
    process.exitCode = 2;
    return;
  }
  if (parameters.includes("--fix")) {
    // One after the other: the second formats what the first has written. What they cannot mend, the checks tell.
    for (const fix of fixes) await run(fix);
  }
  const outcomes = await Promise.all(checks.map(run));
  for (const outcome of outcomes) report(outcome);
  printTable(outcomes);
  if (outcomes.some(({ ok }) => !ok)) {
    console.log("\n`npm run fix` mends formatting, import order and generated text.");
    process.exitCode = 1;
  }
}

await main(process.argv.slice(2));
