import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fleetPaths, workspaceOf } from "../../agent/paths.ts";
import { inspectWorkspace, keepWorkspace, seedWorkspace } from "../../agent/workspace-seed.ts";
import { openWorkspace } from "../../tools/workspace/files.ts";
import { programWorkspace } from "../../tools/workspace/template.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const values = { name: "CLAWDINATOR-2", instance: "i-first" };

/** A program with these templates, and a place for the workspace. */
function program(files: Record<string, string>) {
  const home = temporaryDirectory();
  const templates = join(home, "program");
  const directory = join(home, "workspaces", "CLAWDINATOR-2");
  const put = (root: string, all: Record<string, string>) => {
    for (const [path, text] of Object.entries(all)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  };
  put(templates, files);
  return {
    directory,
    templates,
    release: (all: Record<string, string>) => put(templates, all),
    edit: (all: Record<string, string>) => put(directory, all),
    text: (path: string) => readFileSync(join(directory, path), "utf8"),
    seed: (instance = "i-first") => seedWorkspace({ directory, templates, values: { ...values, instance } }),
  };
}

test("a name's workspace lies beside the conversations, wherever those are, and its name cannot lead elsewhere", () => {
  expect(workspaceOf(fleetPaths("/home"), "CLAWDINATOR-1")).toBe("/home/fleet/workspaces/CLAWDINATOR-1");
  const shared = { memory: {}, conversations: { directory: "/memory/conversations" } };
  expect(fleetPaths("/home", shared).workspaces).toBe("/memory/workspaces");
  expect(fleetPaths("/home", { ...shared, workspace: { directory: "/mine" } }).workspaces).toBe("/mine");
  expect(() => workspaceOf(fleetPaths("/home"), "../elsewhere")).toThrow("cannot be the name of a workspace");
});

test("fills name, number and id into the program's own templates, all of them but pictures", async () => {
  const directory = join(temporaryDirectory(), "CLAWDINATOR-2");
  const plans = await seedWorkspace({ directory, values });
  expect(new Set(plans.map(({ state }) => state))).toEqual(new Set(["new"]));
  const identity = readFileSync(join(directory, "IDENTITY.md"), "utf8");
  expect(identity).toContain("- Name: CLAWDINATOR-2\n- Number: 2\n- Instance: i-first ");
  expect(existsSync(join(directory, "pictures"))).toBe(false);
  for (const { path } of plans) expect(readFileSync(join(directory, path), "utf8")).not.toMatch(/\{\{/);
});

test("writes nothing when it is run again", async () => {
  const { directory, seed } = program({ "SOUL.md": "soul\n", "skills/a/SKILL.md": "a\n" });
  await seed();
  const before = statSync(join(directory, ".seeded.json")).mtimeMs;
  const plans = await seed();
  expect(plans.map(({ state }) => state)).toEqual(["current", "current"]);
  expect(statSync(join(directory, ".seeded.json")).mtimeMs).toBe(before);
});

test("an untouched file follows the program, there and back", async () => {
  const { release, seed, text } = program({ "SOUL.md": "one {{instance}}\n" });
  await seed();
  release({ "SOUL.md": "two {{instance}}\n" });
  expect((await seed())[0]?.state).toBe("outdated");
  expect(text("SOUL.md")).toBe("two i-first\n");
  await seed("i-second");
  expect(text("SOUL.md")).toBe("two i-second\n");
  release({ "SOUL.md": "one {{instance}}\n" });
  await seed("i-second");
  expect(text("SOUL.md")).toBe("one i-second\n");
});

test("an edited file is kept, and a newer template is told until somebody edits the file again", async () => {
  const { edit, release, seed, text } = program({ "SOUL.md": "one\n" });
  await seed();
  edit({ "SOUL.md": "mine\n" });
  expect(await seed("i-other")).toMatchObject([{ state: "edited", hasNewerTemplate: false }]);
  release({ "SOUL.md": "two\n" });
  expect(await seed()).toMatchObject([{ state: "edited", hasNewerTemplate: true }]);
  expect(await seed()).toMatchObject([{ hasNewerTemplate: true }]);
  expect(text("SOUL.md")).toBe("mine\n");
  edit({ "SOUL.md": "mine and two\n" });
  expect(await seed()).toMatchObject([{ state: "edited", hasNewerTemplate: false }]);
  release({ "SOUL.md": "three\n" });
  expect(await seed()).toMatchObject([{ hasNewerTemplate: true }]);
  expect(text("SOUL.md")).toBe("mine and two\n");
});

test("a file that was there before any seeding is somebody's own", async () => {
  const { edit, seed, text } = program({ "SOUL.md": "program\n", "USER.md": "people\n" });
  edit({ "SOUL.md": "mine\n" });
  expect(await seed()).toMatchObject([{ state: "edited" }, { state: "new" }]);
  expect(text("SOUL.md")).toBe("mine\n");
});

test("a deleted file stays deleted, also for who reads the workspace; a deleted workspace is made anew", async () => {
  const { directory, release, seed, text } = program({ "SOUL.md": "one\n", "USER.md": "people\n" });
  await seed();
  unlinkSync(join(directory, "SOUL.md"));
  release({ "SOUL.md": "two\n" });
  expect(await seed()).toMatchObject([{ state: "deleted" }, { state: "current" }]);
  expect(existsSync(join(directory, "SOUL.md"))).toBe(false);
  expect(await openWorkspace({ directory, values }).read("SOUL.md")).toBeNull();
  rmSync(directory, { recursive: true });
  await seed();
  expect(text("SOUL.md")).toBe("two\n");
});

test("what the program no longer has goes when it is untouched, and stays when it was edited", async () => {
  const { directory, edit, seed, templates, text } = program({ "a.md": "a\n", "b.md": "b\n", "c.md": "c\n" });
  await seed();
  edit({ "b.md": "mine\n" });
  unlinkSync(join(templates, "a.md"));
  unlinkSync(join(templates, "b.md"));
  await seed();
  expect(existsSync(join(directory, "a.md"))).toBe(false);
  expect(text("b.md")).toBe("mine\n");
});

test("the generated part of an edited file follows the program, unless that part was edited", async () => {
  const file = (list: string, notes: string) =>
    `<!-- generated:tool-list -->\n${list}\n<!-- /generated -->\n\n${notes}\n`;
  const { edit, release, seed, text } = program({ "TOOLS.md": file("- one", "notes") });
  await seed();
  edit({ "TOOLS.md": file("- one", "my notes") });
  release({ "TOOLS.md": file("- one\n- two", "notes") });
  await seed();
  expect(text("TOOLS.md")).toBe(file("- one\n- two", "my notes"));
  release({ "TOOLS.md": file("- three", "notes") });
  await seed();
  expect(text("TOOLS.md")).toBe(file("- three", "my notes"));
  edit({ "TOOLS.md": file("- my list", "my notes") });
  release({ "TOOLS.md": file("- four", "notes") });
  await seed();
  expect(text("TOOLS.md")).toBe(file("- my list", "my notes"));
});

test("a link or directory in a file's place is told and left, and the program's own file is read instead", async () => {
  const { directory, seed, templates } = program({ "AGENTS.md": "a\n", "SOUL.md": "s\n", "skills/x/SKILL.md": "x\n" });
  const secret = join(templates, "..", "secret.txt");
  writeFileSync(secret, "secret");
  mkdirSync(join(directory, "AGENTS.md"), { recursive: true });
  symlinkSync(secret, join(directory, "SOUL.md"));
  symlinkSync(templates, join(directory, "skills"));
  const plans = await seed();
  expect(plans.map(({ state }) => state)).toEqual(["blocked", "blocked", "blocked"]);
  expect(plans[1]?.reason).toContain("not an ordinary file");
  expect(readFileSync(secret, "utf8")).toBe("secret");
  const soul = await openWorkspace({ directory, values }).read("SOUL.md");
  expect(soul).toContain("You are CLAWDINATOR-2");
});

test("a workspace that cannot be used at all is told once, and the program's own files are read", async () => {
  const home = temporaryDirectory();
  const directory = join(home, "CLAWDINATOR-2");
  writeFileSync(directory, "in the way");
  const lines: unknown[] = [];
  await keepWorkspace({ directory, values }, (level, message, fields) => void lines.push({ level, message, fields }));
  expect(lines).toMatchObject([{ level: "error", fields: { hint: expect.stringContaining("workspace.directory") } }]);
  expect(await openWorkspace({ directory, values }).read("SOUL.md")).toContain("You are CLAWDINATOR-2");
  symlinkSync(home, join(home, "link"));
  await expect(seedWorkspace({ directory: join(home, "link"), values })).rejects.toThrow("it is not a directory");
});

test("a record that cannot be understood stops the seeding, and nothing is changed", async () => {
  const { directory, edit, release, seed, text } = program({ "SOUL.md": "one\n" });
  await seed();
  edit({ ".seeded.json": '{"formatVersion":2}' });
  release({ "SOUL.md": "two\n" });
  await expect(seed()).rejects.toThrow("is not a record of format version 1");
  expect(text("SOUL.md")).toBe("one\n");
  expect(readFileSync(join(directory, ".seeded.json"), "utf8")).toBe('{"formatVersion":2}');
});

test("a seeding that was killed after its intent was noted is finished by the next one", async () => {
  const { directory, seed, text } = program({ "SOUL.md": "one\n", "USER.md": "people\n" });
  await seed();
  const record = JSON.parse(text(".seeded.json"));
  record.files["SOUL.md"].placed = false;
  writeFileSync(join(directory, ".seeded.json"), JSON.stringify(record));
  unlinkSync(join(directory, "SOUL.md"));
  await seed();
  expect(text("SOUL.md")).toBe("one\n");
});

test("several instances that seed at once leave whole files and one record of all of them", async () => {
  const directory = join(temporaryDirectory(), "CLAWDINATOR-2");
  const script = `import { seedWorkspace } from ${JSON.stringify(join(import.meta.dirname, "../../agent/workspace-seed.ts"))};
    await seedWorkspace(${JSON.stringify({ directory, values })});`;
  const run = promisify(execFile);
  const start = () =>
    run(process.execPath, ["--input-type=module", "--disable-warning=ExperimentalWarning", "-e", script]);
  await Promise.all([start(), start(), start()]);
  const plans = await seedWorkspace({ directory, values });
  expect(new Set(plans.map(({ state }) => state))).toEqual(new Set(["current"]));
  const record = JSON.parse(readFileSync(join(directory, ".seeded.json"), "utf8"));
  expect(Object.keys(record.files).sort()).toEqual(plans.map(({ path }) => path));
  expect(readdirSync(directory).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
  expect(readFileSync(join(programWorkspace, "SOUL.md"), "utf8")).toContain("{{name}}");
}, 30_000);

test("killed at any moment, the next seeding finishes it: nothing counts as edited or deleted", async () => {
  const home = temporaryDirectory();
  const directory = join(home, "CLAWDINATOR-2");
  const module = JSON.stringify(join(import.meta.dirname, "../../agent/workspace-seed.ts"));
  // Says when it begins, so that the kills fall into the work and not into the start of the process.
  const script = `import { writeSync } from "node:fs"; const { seedWorkspace } = await import(${module});
    writeSync(1, "go"); await seedWorkspace(${JSON.stringify({ directory, values })}); writeSync(1, "done");`;
  const parameters = ["--input-type=module", "--disable-warning=ExperimentalWarning", "-e", script];
  let wasKilled = 0;
  for (const milliseconds of [0, 2, 4, 8, 16]) {
    const child = spawn(process.execPath, parameters, { stdio: ["ignore", "pipe", "inherit"] });
    let said = "";
    child.stdout.on("data", (data: Buffer) => {
      if (said === "") setTimeout(() => child.kill("SIGKILL"), milliseconds);
      said += data.toString();
    });
    await once(child, "close");
    if (!said.includes("done")) wasKilled++;
    const before = await inspectWorkspace({ directory, values });
    expect(before.filter(({ state }) => !["new", "current", "outdated"].includes(state))).toEqual([]);
    rmSync(directory, { recursive: true, force: true });
  }
  expect(wasKilled).toBeGreaterThan(0);
}, 30_000);
