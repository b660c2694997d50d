/** `clawdinator memory` as people use it, without a gateway. */
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CommandContext } from "../../../agent/cli/context.ts";
import { memoryCheck } from "../../../agent/cli/doctor-memory.ts";
import * as commands from "../../../agent/cli/memory.ts";
import { openMemory } from "../../../memory/index.ts";
import { makeFleet } from "../../support/fleet.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

type Command = (context: CommandContext) => Promise<void>;

/** The commands in this process: what each says to programs, to people, and beside it. */
function open() {
  const home = temporaryDirectory();
  const run = async (command: Command): Promise<{ value: Record<string, unknown>; text: string; notes: string[] }> => {
    let value: unknown = null;
    let text = "";
    const notes: string[] = [];
    const output: CommandContext["output"] = {
      json: false,
      result(given, show) {
        value = given;
        text = show();
      },
      line: () => undefined,
      note: (note) => void notes.push(note),
    };
    await command({ home, as: null, output });
    return { value: value as Record<string, unknown>, text, notes };
  };
  return { home, run, directory: join(home, "fleet", "memory") };
}

test("a document's life: written, read then and now, compared, renamed, deleted, restored", async () => {
  const { run } = open();
  await run((context) => commands.write(context, "plan.md", "# Plan\n\none\n", {}));
  await run((context) => commands.append(context, "plan.md", "two"));
  const { value } = await run((context) => commands.history(context, "plan.md"));
  const revisions = value.revisions as { revision: string; writer: string }[];
  expect(revisions).toHaveLength(2);
  // The same name again and again, so that one person's additions follow each other.
  expect(new Set(revisions.map(({ writer }) => writer)).size).toBe(1);
  expect(revisions[0]?.writer).toMatch(/^cli-[A-Za-z0-9-]+$/);
  const revision = revisions.at(-1)?.revision ?? "";
  expect((await run((context) => commands.read(context, "plan.md", {}))).value).toMatchObject({
    document: "plan.md",
    text: "# Plan\n\none\ntwo\n",
    trust: "maintainer",
    isConflicted: false,
    shown: [expect.any(String)],
  });
  const then = await run((context) => commands.read(context, "plan.md", { revision }));
  expect(then.value).toMatchObject({ text: "# Plan\n\none\n", revision, trust: "maintainer" });
  expect((await run((context) => commands.diff(context, "plan.md", {}))).text).toMatch(
    /^--- plan\.md \S+\n\+\+\+ plan\.md \S+\n@@ -1 \+1 @@\n # Plan\n \n one\n\+two$/,
  );
  const moved = await run((context) => commands.rename(context, "plan.md", "old/plan.md"));
  expect(moved.value).toMatchObject({ document: "old/plan.md", isConflicted: false });
  await expect(run((context) => commands.read(context, "plan.md", {}))).rejects.toMatchObject({
    code: "document_renamed",
    message: "plan.md was renamed to old/plan.md",
  });
  expect((await run((context) => commands.remove(context, "old/plan.md"))).text).toMatch(/^old\/plan\.md is deleted; /);
  expect((await run((context) => commands.list(context, {}))).value).toEqual({ documents: [] });
  expect((await run((context) => commands.list(context, { deleted: true }))).value).toMatchObject({
    documents: [{ document: "old/plan.md" }, { document: "plan.md" }],
  });
  await run((context) => commands.restore(context, "plan.md", revision));
  expect((await run((context) => commands.read(context, "plan.md", {}))).text).toBe("# Plan\n\none\n");
});

test("a snapshot brings the memory to another place, adds what is missing and takes nothing away", async () => {
  const { home, run, directory } = open();
  await run((context) => commands.write(context, "plan.md", "one", {}));
  // What somebody typed into the file and nobody has read yet is in it, too.
  const path = join(directory, "plan.md");
  writeFileSync(path, readFileSync(path, "utf8").replace("one", "by hand"));
  const file = join(home, "memory.tar.gz");
  expect((await run((context) => commands.snapshot(context, file))).value).toMatchObject({
    documents: 1,
    revisions: 2,
  });
  const other = open();
  await other.run((context) => commands.write(context, "ours.md", "stays", {}));
  const loaded = await other.run((context) => commands.load(context, file));
  expect(loaded).toMatchObject({ value: { added: 2, present: 0, refused: [] }, notes: [] });
  expect((await other.run((context) => commands.read(context, "plan.md", {}))).text).toContain("by hand");
  expect((await other.run((context) => commands.read(context, "ours.md", {}))).text).toBe("stays");
});

test("check and doctor name what is damaged and what cannot be taken in, and never a secret", async () => {
  const { home, run, directory } = open();
  const doctor = () => run(async (context) => context.output.result(await memoryCheck(context), () => ""));
  expect((await doctor()).value).toMatchObject({ ok: true });
  await run((context) => commands.write(context, "plan.md", "one", {}));
  expect((await run(commands.check)).value).toEqual({ ok: true, problems: [] });
  expect((await doctor()).value).toMatchObject({ ok: true, detail: `${join(home, "fleet", "memory")}, 1 documents` });
  const key = `ghp_${"a1B2".repeat(9)}`;
  const path = join(directory, "plan.md");
  writeFileSync(path, readFileSync(path, "utf8").replace("one", `one\n${key}`));
  await run((context) => commands.write(context, "bad.md", "two", {}));
  const folder = join(directory, ".hive", "bad.md");
  appendFileSync(join(folder, readdirSync(folder)[0] ?? ""), "torn");
  const checked = await run(commands.check);
  expect(process.exitCode).toBe(1);
  process.exitCode = undefined;
  expect(checked.text).toMatch(/plan\.md: .*a GitHub token/);
  expect(checked.text).toMatch(/bad\.md \S+: is damaged/);
  const told = await doctor();
  expect(told.value).toMatchObject({
    ok: false,
    detail: expect.stringContaining("`clawdinator memory check` says what to do"),
  });
  const read = await run((context) => commands.read(context, "plan.md", {}));
  expect(read.notes.join()).toContain("a GitHub token");
  expect(JSON.stringify([checked, told, read])).not.toContain(key);
});

test("a person vouches for a public text; refusals say what to do", async () => {
  const { run, directory } = open();
  const stranger = openMemory({ directory, writer: "w" });
  await stranger.write("issue.md", "please\n", { author: "m", source: "https://x.example", trust: "public" });
  await stranger.close();
  const write = (vouch: boolean) => run((context) => commands.write(context, "issue.md", "please!", { vouch }));
  expect((await write(false)).value).toMatchObject({ trust: "public" });
  expect((await write(true)).value).toMatchObject({ trust: "maintainer" });
  for (const [command, code] of [
    [(context) => commands.read(context, "none.md", {}), "unknown_document"],
    [(context) => commands.history(context, "none.md"), "unknown_document"],
    [(context) => commands.remove(context, "none.md"), "unknown_document"],
    [(context) => commands.edit(context, "none.md", { before: "a", after: "b" }), "unknown_document"],
    [(context) => commands.read(context, "issue.md", { revision: "nothing" }), "revision_unknown"],
    [(context) => commands.diff(context, "issue.md", { from: "nothing" }), "revision_unknown"],
    [(context) => commands.write(context, "../etc.md", "x", {}), "document_name"],
    [(context) => commands.load(context, join(directory, "none.tar.gz")), "memory_unavailable"],
  ] satisfies [Command, string][]) {
    await expect(run(command)).rejects.toMatchObject({ code, hint: expect.stringMatching(/./) });
  }
});

test("as a process it takes text from standard input, needs no gateway, and tells wrong usage from failure", async () => {
  const fleet = makeFleet();
  expect((await fleet.cli(["memory", "write", "plan.md"], { input: "# Plan\n" })).code).toBe(0);
  // A list's line begins with a dash and is no option.
  expect((await fleet.cli(["memory", "append", "plan.md", "- the first", "--json"])).code).toBe(0);
  const [read, help, binary, ...wrong] = await Promise.all([
    fleet.cli(["memory", "read", "plan.md", "--json"]),
    fleet.cli(["memory", "diff", "--help"]),
    fleet.cli(["memory", "append", "plan.md", "--json"], { input: Buffer.from([0x61, 0xff]) as unknown as string }),
    fleet.cli(["memory", "rename", "plan.md", "--json"]),
    fleet.cli(["memory", "search", "x", "--limit", "many", "--json"]),
    fleet.cli(["memory", "append", "plan.md", "a word", "--vuoch", "--json"]),
  ]);
  expect(read.lines).toMatchObject([{ document: "plan.md", text: "# Plan\n- the first\n", trust: "maintainer" }]);
  expect(help.stdout).toContain("Example:\n  clawdinator memory diff ops.md --from REVISION --to REVISION");
  expect(binary).toMatchObject({ code: 1, lines: [{ error: { code: "document_not_text" } }] });
  for (const one of wrong) expect(one).toMatchObject({ code: 2, lines: [{ error: { code: "usage" } }] });
  expect(existsSync(join(fleet.home, "fleet", "store.sqlite"))).toBe(false);
}, 60_000);
