import type { ReadContext } from "../tool.ts";
import { openWorkspace, type WorkspaceFiles } from "./files.ts";

/** The workspace that a run reads: its name's own, else the program's. */
export function workspaceFor({ workspace, program }: ReadContext): WorkspaceFiles {
  const values = { name: program.name ?? "CLAWDINATOR", instance: program.instance };
  return openWorkspace({ directory: workspace?.directory, values });
}
