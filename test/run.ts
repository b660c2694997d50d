/**
 * `npm test`: gets what the tests need, runs them, and ends with the line `N passed, N failed, N skipped`.
 * Arguments are vitest's: file name filters, `-t TITLE`, and its options.
 */
import { spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
import { dirname } from "node:path";
import { parseCLI, startVitest } from "vitest/node";
import { findChromium } from "./support/chromium.ts";
import { CountingReporter, formatCounts } from "./support/reporter.ts";

const isContinuousIntegration = /^(1|true)$/i.test(process.env.CI ?? "");

/** Installs Debian's Chromium where that is possible; otherwise says what to install. */
function ensureChromium(): void {
  if (findChromium()) return;
  if (process.env.CHROMIUM) {
    say(
      `CHROMIUM is ${process.env.CHROMIUM}, which is no program; the tests that drive the console in a browser are skipped`,
    );
    return;
  }
  const hasApt = spawnSync("apt-get", ["--version"], { stdio: "ignore" }).status === 0;
  if (hasApt && process.getuid?.() === 0) {
    say("the console's tests need Chromium: installing Debian's package `chromium` with apt-get");
    const failure = aptGet(["update"]) ?? aptGet(["install", "-y", "--no-install-recommends", "chromium"]);
    if (failure === null && findChromium()) return;
    say(`apt-get could not install it:\n${failure ?? "no `chromium` in PATH after the installation"}`);
  }
  const remedy = hasApt ? "as root: apt-get install chromium" : "install Chromium, or set CHROMIUM to its path";
  say(`Chromium is missing, so the tests that drive the console in a browser are skipped (${remedy})`);
}

/** Null on success, else the last lines of what it said. */
function aptGet(parameters: string[]): string | null {
  const environment = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const result = spawnSync("apt-get", parameters, {
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    env: environment,
  });
  if (result.status === 0) return null;
  return result.error?.message ?? `${result.stdout}${result.stderr}`.trim().split("\n").slice(-10).join("\n");
}

function ensureGit(): void {
  if (spawnSync("git", ["--version"], { stdio: "ignore" }).status === 0) return;
  say("git is missing, and the tests build from real repositories: install git (Debian: apt-get install git)");
  process.exit(1);
}

function say(text: string): void {
  writeSync(2, `npm test: ${text}\n`);
}

async function main(): Promise<void> {
  process.chdir(dirname(import.meta.dirname));
  ensureGit();
  ensureChromium();
  const { filter, options } = parseCLI(["vitest", "run", ...process.argv.slice(2)]);
  const reporter = new CountingReporter({ print: (line) => void writeSync(1, `${line}\n`) });
  const vitest = await startVitest("test", filter, {
    ...options,
    watch: false,
    reporters: [reporter, "minimal"],
  });
  const { counts } = reporter;
  const ran = counts.passed + counts.failed;
  if (ran === 0) say("no test ran");
  const isSkipRefused = isContinuousIntegration && counts.skipped > 0;
  if (isSkipRefused) say("a skipped test is a failure where CI is set; the reasons are above");
  await vitest.close();
  const isGood = ran > 0 && counts.failed === 0 && !isSkipRefused && !process.exitCode;
  writeSync(1, `${formatCounts(counts)}\n`);
  process.exit(isGood ? 0 : 1);
}

await main();
