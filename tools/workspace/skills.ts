/** Skills: playbooks of the workspace, of which a model knows name and description and reads the rest when it needs it. */
import { z } from "zod";
import { describeError, ToolError } from "../errors.ts";
import type { WorkspaceFiles } from "./files.ts";
import { readFrontMatter } from "./front-matter.ts";

/** Every description is part of every prompt. */
const longestDescription = 300;
const mostSkills = 50;

export const skillNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "a skill's name is small letters, digits and -, such as land-pr");

const skillSchema = z.strictObject({
  name: skillNameSchema.describe("the folder's name"),
  description: z.string().min(10).max(longestDescription).describe("what it is for and when to read it, in one line"),
  tools: z
    .array(z.string().regex(/^[a-z][a-z0-9_]*$/))
    .default([])
    .describe("tools that it uses"),
});

export interface Skill extends z.output<typeof skillSchema> {
  body: string;
}

export interface SkillList {
  skills: Skill[];
  /** Why a folder below `skills/` is not among them. */
  warnings: string[];
}

/** Every usable skill, by name. One that is broken is left out with a warning. */
export async function listSkills(files: WorkspaceFiles): Promise<SkillList> {
  const found = (await files.list("skills")).filter((name) => skillNameSchema.safeParse(name).success);
  const list: SkillList = { skills: [], warnings: [] };
  if (found.length > mostSkills)
    list.warnings.push(`there are ${found.length} skills; only the first ${mostSkills} are used`);
  const results = await Promise.all(
    found.slice(0, mostSkills).map((name) =>
      readSkill(files, name).catch((error: unknown) => {
        list.warnings.push(describeError(error).message);
        return null;
      }),
    ),
  );
  list.skills = results.filter((skill) => skill !== null);
  return list;
}

/** Null when there is none; throws ToolError when it is broken. */
export async function readSkill(files: WorkspaceFiles, name: string): Promise<Skill | null> {
  const file = `skills/${name}/SKILL.md`;
  const text = await files.read(file);
  if (text === null) return null;
  const { head, body } = await readFrontMatter(text, { file, schema: skillSchema });
  if (head.name !== name) {
    throw new ToolError(`${file} cannot be used: it calls itself “${head.name}”, but its folder is “${name}”`, {
      code: "workspace_file_broken",
      hint: "give the folder and the skill one name",
    });
  }
  return { ...head, body };
}
