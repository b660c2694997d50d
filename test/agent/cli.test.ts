/** The command line as programs and people use it. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { buildCommandLine } from "../../agent/cli/command-line.ts";
import { shareFleet } from "../support/fleet.ts";

const fleet = shareFleet();

function leaves(command: Command, path: string[] = []): { path: string[]; command: Command }[] {
  if (command.commands.length === 0) return [{ path, command }];
  return command.commands.flatMap((child) => leaves(child, [...path, child.name()]));
}

const commands = leaves(buildCommandLine());

function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

test("there is every command that the documentation names", () => {
  const names = commands.map(({ path }) => path.join(" "));
  for (const name of [
    "up",
    "down",
    "ask",
    "fleet status",
    "fleet drift",
    "approvals list",
    "approvals show",
    "approvals approve",
    "approvals reject",
    "operations list",
    "operations show",
    "operations resume",
    "operations cancel",
    "image build",
    "image import",
    "image list",
    "image prune",
    "memory read",
    "memory write",
    "memory append",
    "memory edit",
    "memory search",
    "memory history",
    "memory restore",
    "maintainers list",
    "maintainers add",
    "maintainers remove",
    "secrets list",
    "secrets put",
    "secrets rotate",
    "pause",
    "resume",
    "doctor",
    "audit",
    "version",
  ]) {
    expect(names).toContain(name);
  }
});

test.each(commands.map(({ path, command }) => [path.join(" "), command] as const))(
  "%s has help with usage, options and an example, and speaks JSON",
  (name, command) => {
    const help = helpOf(command);
    expect(help).toContain(`Usage: clawdinator ${name}`);
    expect(help).toContain("--json");
    expect(help).toMatch(new RegExp(`Example:\\n  clawdinator ${name}\\b`));
    expect(command.description()).toMatch(/^[a-z]/);
    for (const option of command.options)
      if (!option.hidden) expect(option.description, `${name} ${option.flags}`).not.toBe("");
  },
);

test("help is printed on stdout with exit code 0, for the program, a group and a command", async () => {
  for (const parameters of [["--help"], ["approvals", "--help"], ["approvals", "approve", "--help"]]) {
    const { code, stdout, stderr } = await fleet().cli(parameters);
    expect({ parameters, code, stderr }).toEqual({ parameters, code: 0, stderr: "" });
    expect(stdout).toContain("Usage: clawdinator");
  }
  const nothing = await fleet().cli([]);
  expect(nothing).toMatchObject({ code: 2, stdout: "" });
  expect(nothing.stderr).toContain("Usage: clawdinator");
});

/** One JSON value, or one a line: nothing else may stand on stdout. */
function parse(stdout: string): unknown[] {
  expect(stdout.endsWith("\n")).toBe(true);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
}

test("with --json stdout holds JSON and nothing else, whatever the command", async () => {
  const proposed = await fleet().propose("spawn a sibling");
  const wrong = "0".repeat(64);
  const runs: { parameters: string[]; code?: number; input?: string }[] = [
    { parameters: ["version"] },
    { parameters: ["doctor"] },
    { parameters: ["fleet", "status"] },
    { parameters: ["fleet", "drift"] },
    { parameters: ["ask", "status"] },
    { parameters: ["ask", "gibberish that means nothing"] },
    { parameters: ["approvals", "list"] },
    { parameters: ["approvals", "list", "--all"] },
    { parameters: ["approvals", "show", proposed.id] },
    { parameters: ["approvals", "approve", proposed.id, "--digest", wrong], code: 1 },
    { parameters: ["approvals", "approve", "ap-none"], code: 1 },
    { parameters: ["approvals", "reject", proposed.id, "--reason", "no"] },
    { parameters: ["operations", "list"] },
    { parameters: ["operations", "show", "op-none"], code: 1 },
    { parameters: ["operations", "propose", "instance_launch", "--input", "{}"] },
    { parameters: ["operations", "propose", "nothing"], code: 1 },
    { parameters: ["operations", "propose", "instance_launch", "--input", "{broken"], code: 2 },
    { parameters: ["operations", "resume", "op-none"], code: 1 },
    { parameters: ["operations", "cancel", "op-none"], code: 1 },
    { parameters: ["image", "list"] },
    { parameters: ["image", "prune", "--keep", "0"] },
    { parameters: ["memory", "list"] },
    { parameters: ["memory", "write", "notes.md", "one"] },
    { parameters: ["memory", "append", "notes.md"], input: "two\n" },
    { parameters: ["memory", "read", "notes.md"] },
    { parameters: ["memory", "edit", "notes.md", "--before", "one", "--after", "three"] },
    { parameters: ["memory", "search", "three"] },
    { parameters: ["memory", "history", "notes.md"] },
    { parameters: ["memory", "restore", "notes.md", "none"], code: 1 },
    { parameters: ["memory", "diff", "notes.md"] },
    { parameters: ["memory", "delete", "none.md"], code: 1 },
    { parameters: ["memory", "check"] },
    { parameters: ["maintainers", "list"] },
    { parameters: ["maintainers", "add", "Ada"] },
    { parameters: ["maintainers", "remove", "2"] },
    { parameters: ["maintainers", "login"] },
    { parameters: ["secrets", "list"] },
    { parameters: ["secrets", "put", "my-own"], input: "value" },
    { parameters: ["secrets", "rotate", "nothing"], input: "value", code: 1 },
    { parameters: ["pause"] },
    { parameters: ["resume"] },
    { parameters: ["audit", "--limit", "3"] },
    { parameters: ["audit", "--limit", "many"], code: 2 },
    { parameters: ["up", "--port", "no"], code: 2 },
    { parameters: ["nonsense"], code: 2 },
    { parameters: ["fleet", "nonsense"], code: 2 },
    { parameters: ["fleet", "status", "--nonsense"], code: 2 },
    { parameters: ["approvals", "show"], code: 2 },
    { parameters: ["memory", "edit", "notes.md"], code: 2 },
  ];
  const results: { parameters: string[]; expected: number; code: number; stdout: string; stderr: string }[] = [];
  for (const { parameters, code = 0, input } of runs) {
    const {
      stdout,
      stderr,
      code: exit,
    } = await fleet().cli([...parameters, "--json"], input === undefined ? {} : { input });
    results.push({ parameters, expected: code, code: exit, stdout, stderr });
  }
  for (const { parameters, expected, code, stdout, stderr } of results) {
    // The machine may lack what doctor looks for; what it says is JSON all the same.
    if (parameters[0] !== "doctor")
      expect({ parameters, code, stderr }).toEqual({ parameters, code: expected, stderr: "" });
    const values = parse(stdout);
    if (expected === 0) continue;
    expect(values, parameters.join(" ")).toEqual([
      {
        error: {
          code: expect.stringMatching(/^[a-z_]+$/),
          message: expect.stringMatching(/./),
          hint: expect.stringMatching(/./),
        },
      },
    ]);
  }
  const answers = new Map(results.map(({ parameters, stdout }) => [parameters.join(" "), parse(stdout)]));
  expect(answers.get("memory read notes.md")).toMatchObject([
    {
      document: "notes.md",
      text: expect.any(String),
      revision: expect.any(String),
      author: expect.any(String),
      trust: "maintainer",
    },
  ]);
  expect(answers.get("fleet status")).toMatchObject([
    {
      instances: [
        {
          name: "CLAWDINATOR-1",
          state: "ready",
          revision: expect.any(String),
          image: "checkout",
          epoch: 1,
          checks: expect.any(Array),
        },
      ],
    },
  ]);
  expect((answers.get("ask status") ?? []).at(-1)).toMatchObject({ type: "done", reason: "answered" });
}, 180_000);

test("without --json people get text on stdout and errors with a way out on stderr", async () => {
  const status = await fleet().cli(["fleet", "status"]);
  expect(status).toMatchObject({ code: 0, stderr: "" });
  expect(status.stdout).toMatch(/^NAME +STATE +REVISION/);
  const failed = await fleet().cli(["approvals", "show", "ap-none"]);
  expect(failed).toMatchObject({ code: 1, stdout: "" });
  expect(failed.stderr).toMatch(/^clawdinator: there is no approval ap-none\n {2}→ ./);
});

test("a text from elsewhere cannot rewrite what the terminal shows", async () => {
  await fleet().cli(["memory", "write", "evil.md"], { input: "before\u001b[2J\u001b[1;1H\u0007after\u009b31m" });
  const { stdout } = await fleet().cli(["memory", "read", "evil.md"]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(stdout).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  expect(stdout).toContain("before");
});

test("the program runs from its main file, whatever directory it is called in", () => {
  const main = join(fleet().program, "agent", "main.ts");
  const out = execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", main, "version", "--json"], {
    cwd: "/",
    encoding: "utf8",
  });
  expect(JSON.parse(out)).toMatchObject({
    version: expect.stringMatching(/^[0-9]+\./),
    revision: expect.stringMatching(/^[0-9a-f]{40}$/),
  });
});
