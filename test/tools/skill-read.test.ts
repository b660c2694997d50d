import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { skillRead } from "../../tools/skill-read.ts";
import { workspaceContext } from "../support/workspace-context.ts";

test("gives a skill's text as it is in the workspace now, as the maintainers' own", async () => {
  const { directory, run } = await workspaceContext();
  const first = await run(skillRead, { name: "triage" });
  expect(first.text).toMatch(/^# Triage\n/);
  expect(first).toMatchObject({ trust: "maintainer", data: { name: "triage" } });
  const head = "---\nname: triage\ndescription: Our own way of sorting.\n---\n";
  writeFileSync(join(directory, "skills/triage/SKILL.md"), `${head}Toss a coin.\n`);
  expect((await run(skillRead, { name: "triage" })).text).toBe("Toss a coin.");
});

test("names the skills that there are when asked for another one, without those that were deleted", async () => {
  const { directory, run } = await workspaceContext();
  rmSync(join(directory, "skills/lurk"), { recursive: true });
  await expect(run(skillRead, { name: "cooking" })).rejects.toMatchObject({
    code: "unknown_skill",
    hint: "there are: distill-pr-intent, fleet, land-pr, triage",
  });
  await expect(run(skillRead, { name: "lurk" })).rejects.toMatchObject({ code: "unknown_skill" });
});

test("takes no path for a name", () => {
  for (const name of ["../secrets", "a/b", ".", "..", "/etc", "Triage", ""])
    expect(skillRead.input.safeParse({ name }).success, name).toBe(false);
});

test("does not follow a link out of the workspace", async () => {
  const { directory, run } = await workspaceContext();
  const outside = join(directory, "..", "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "SKILL.md"), "---\nname: evil\ndescription: From elsewhere.\n---\nsecret\n");
  symlinkSync(outside, join(directory, "skills/evil"));
  await expect(run(skillRead, { name: "evil" })).rejects.toMatchObject({ code: "unknown_skill" });
});

test("says what is wrong with a broken one", async () => {
  const { directory, run } = await workspaceContext();
  const broken = async (text: string): Promise<string> => {
    writeFileSync(join(directory, "skills/triage/SKILL.md"), text);
    return await run(skillRead, { name: "triage" }).then(
      () => "",
      (error: Error) => error.message,
    );
  };
  expect(await broken("# Triage\n")).toContain("does not begin with YAML");
  expect(await broken("---\nname: triage\nmore: 1\ndescription: long enough\n---\nx\n")).toContain('"more"');
  expect(await broken("---\nname: triage\n---\nx\n")).toContain("description:");
  expect(await broken("---\nname: other\ndescription: long enough\n---\nx\n")).toContain("calls itself “other”");
  expect(await broken("---\nname: triage\ndescription: long enough\n---\n")).toContain("no text");
  // A few lines of YAML that would unfold to billions.
  const bomb = `a: &a [x]\nb: &b [*a,*a]\nc: [*b,*b]`;
  expect(await broken(`---\n${bomb}\n---\nx\n`)).toContain("cannot be used");
});
