/** What `clawdinator doctor` says of a workspace. */
import { describeError } from "../tools/errors.ts";
import { readResponse, responseNames } from "../tools/workspace/canned.ts";
import { openWorkspace } from "../tools/workspace/files.ts";
import { readRecord } from "../tools/workspace/record.ts";
import { listSkills } from "../tools/workspace/skills.ts";
import { type FleetPaths, workspaceOf } from "./paths.ts";
import { compare, inspectWorkspace } from "./workspace-seed.ts";

/** One line where all is well, edits included; throws where something in it cannot be used. */
export async function describeWorkspace(paths: Pick<FleetPaths, "workspaces">, name: string): Promise<string> {
  const directory = workspaceOf(paths, name);
  const { files } = await readRecord(directory);
  if (Object.keys(files).length === 0) return `${directory} (made when ${name} starts)`;
  const values = { name, instance: "" };
  const plans = await inspectWorkspace({ directory, values });
  const problems = plans.flatMap(({ path, reason }) => (reason === null ? [] : [`${path}: ${reason}`]));
  const workspace = openWorkspace({ directory, values });
  problems.push(...(await listSkills(workspace)).warnings);
  for (const response of await responseNames(workspace)) {
    await readResponse(workspace, response).catch((error: unknown) => problems.push(describeError(error).message));
  }
  if (problems.length > 0) throw new Error(problems.join("; "));
  const count = (state: string) => plans.filter((plan) => plan.state === state).length;
  const newer = plans.filter(({ hasNewerTemplate }) => hasNewerTemplate);
  return [
    `${directory}, ${count("edited")} edited, ${count("deleted")} deleted`,
    ...newer.map(({ path }) => `      newer template of ${path}: ${compare({ directory, values }, path).compare}`),
  ].join("\n");
}
