import { join } from "node:path";
import { seedWorkspace } from "../../agent/workspace-seed.ts";
import { type Memory, openMemory } from "../../memory/index.ts";
import type { ReadContext, ReadTool, ToolResult } from "../../tools/tool.ts";
import { temporaryDirectory } from "./temporary.ts";

const name = "CLAWDINATOR-2";

export interface WorkspaceContext {
  directory: string;
  /** The instance's own directory. */
  state: string;
  memory: Memory;
  run(tool: ReadTool, input?: object, context?: Partial<ReadContext>): Promise<ToolResult>;
}

/** A seeded workspace, and its name's tools; each call is a call of its own unless the context says otherwise. */
export async function workspaceContext(): Promise<WorkspaceContext> {
  const home = temporaryDirectory();
  const directory = join(home, "workspaces", name);
  const state = join(home, "instance");
  await seedWorkspace({ directory, values: { name, instance: "i-2" } });
  const memory = openMemory({ directory: join(home, "memory"), writer: "test" });
  let calls = 0;
  return {
    directory,
    state,
    memory,
    run(tool, input = {}, context = {}) {
      const own: Partial<ReadContext> = {
        memory,
        workspace: { directory, state },
        program: { version: "0.1.0", revision: "abc", image: "checkout", instance: "i-2", name },
        conversation: "talk",
        call: `call-${calls++}`,
        signal: new AbortController().signal,
      };
      return tool.run({ ...own, ...context } as ReadContext, tool.input.parse(input));
    },
  };
}
