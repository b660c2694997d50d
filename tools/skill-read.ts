import { z } from "zod";
import { ToolError } from "./errors.ts";
import { defineReadTool } from "./tool.ts";
import { workspaceFor } from "./workspace/of-run.ts";
import { listSkills, readSkill, skillNameSchema } from "./workspace/skills.ts";

export const skillRead = defineReadTool({
  name: "skill_read",
  description:
    "Reads a skill of the workspace: a playbook for one kind of job. " +
    "Use it before you begin such a job; the list of skills says what each is for. Comes back as text to follow.",
  input: z.strictObject({ name: skillNameSchema.describe("the skill's name, such as triage") }),
  async run(context, { name }) {
    const files = workspaceFor(context);
    const skill = await readSkill(files, name);
    if (skill === null) {
      const { skills } = await listSkills(files);
      throw new ToolError(`there is no skill “${name}”`, {
        code: "unknown_skill",
        hint: skills.length === 0 ? "there are none" : `there are: ${skills.map((one) => one.name).join(", ")}`,
      });
    }
    const { description, tools, body } = skill;
    return { text: body, data: { name, description, tools }, trust: "maintainer" };
  },
});
