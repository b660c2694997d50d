/**
 * `npm test`: gets what the tests need, runs them, and ends with the line `N passed, N failed, N skipped`.
 * Arguments are vitest's: file name filters, `-t TITLE`, and its options.
 */
import { spawnSync } from "node:child_process";
import { writeSync } from "node:fs";
import { dirname } from "node:path";
import { parseCLI, startVitest } from "vitest/node";
import { setUpEmulator, whyNotRepaired } from "./support/aws.ts";
import { findChromium } from "./support/chromium.ts";
import { findLocalModel, howToHaveOne } from "./support/local-model.ts";
import { findMinistack } from "./support/ministack.ts";
import { whyNoNix } from "./support/nix.ts";
import { whyNoNixBuild } from "./support/nix-build.ts";
import { removeTemplates } from "./support/program.ts";
import { CountingReporter, formatCounts } from "./support/reporter.ts";

const isContinuousIntegration = /^(1|true)$/i.test(process.env.CI ?? "");

/** What cannot be had on this machine by installing anything; its tests are skipped, and that is no failure. */
const unavailable: string[] = [];

/** Installs Debian's Chromium where that is possible; otherwise says what to install. */
function ensureChromium(): void {
  if (findChromium()) return;
  if (process.env.CHROMIUM) {
    say(
      `CHROMIUM is ${process.env.CHROMIUM}, which is no program; the tests that drive the console in a browser are skipped`,
    );
    return;
  }
  if (canInstall()) {
    say("the console's tests need Chromium: installing Debian's package `chromium` with apt-get");
    const failure = aptGet(["update"]) ?? aptGet(["install", "-y", "--no-install-recommends", "chromium"]);
    if (failure === null && findChromium()) return;
    say(`apt-get could not install it:\n${failure ?? "no `chromium` in PATH after the installation"}`);
  }
  say(
    "Chromium is missing, so the tests that drive the console in a browser are skipped (Debian, as root: apt-get install chromium; or set CHROMIUM to its path)",
  );
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

/** Says what the tests of the AWS provider run against; installs it here where it is missing, so that no test waits. */
function ensureEmulator(): void {
  let kind = setUpEmulator();
  if (kind === null && canInstall()) {
    say("the tests of the AWS provider need an emulator: installing Debian's python3-venv with apt-get");
    const failure = aptGet(["update"]) ?? aptGet(["install", "-y", "--no-install-recommends", "python3-venv"]);
    if (failure !== null) say(`apt-get could not install it:\n${failure}`);
    kind = setUpEmulator();
  }
  if (kind === null) {
    say("no AWS emulator can be had: install Python 3 with venv (Debian: apt-get install python3-venv)");
    process.exit(1);
  }
  say(`the AWS provider is tested against ${kind}`);
  const why = whyNotRepaired();
  if (why !== null) unavailable.push(`whole operations on AWS (${why})`);
  say(
    findMinistack() === null
      ? "ministack cannot be installed, so IAM's policies are read and not enforced"
      : "IAM's policies are enforced by ministack",
  );
  const noNix = whyNoNixBuild();
  say(noNix === null ? "images are built by a real nix" : noNix);
  if (noNix !== null) unavailable.push("builds by nix");
  const noEvaluation = whyNoNix();
  if (noEvaluation !== null) unavailable.push(`the evaluation of NixOS modules (${noEvaluation})`);
}

/** A model is nothing to install for a test run: it is used where there is one. */
function sayWhichModel(): void {
  const isThere = findLocalModel(process.env) !== null;
  say(
    isThere ? "a real small model is talked to" : `NOT RUN: a conversation with a real small model (${howToHaveOne})`,
  );
}

function canInstall(): boolean {
  return spawnSync("apt-get", ["--version"], { stdio: "ignore" }).status === 0 && process.getuid?.() === 0;
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
  ensureEmulator();
  sayWhichModel();
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
  const isSkipRefused = isContinuousIntegration && counts.skipped > 0 && unavailable.length === 0;
  if (unavailable.length > 0) say(`not tried here: ${unavailable.join("; ")}`);
  if (isSkipRefused) say("a skipped test is a failure where CI is set; the reasons are above");
  await vitest.close();
  removeTemplates();
  const isGood = ran > 0 && counts.failed === 0 && !isSkipRefused && !process.exitCode;
  writeSync(1, `${formatCounts(counts)}\n`);
  process.exit(isGood ? 0 : 1);
}

await main();
