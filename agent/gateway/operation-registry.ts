/** Operations by name: how the mind sees them, and how a plan is derived, now or again. */
import { z } from "zod";
import { ToolError } from "../../tools/errors.ts";
import type { FleetServices } from "../../tools/fleet/services.ts";
import type { Json } from "../../tools/json.ts";
import { operations } from "../../tools/operations.ts";
import type { Operation } from "../../tools/tool.ts";
import type { OperationDescriptor } from "../protocol.ts";
import type { Planner } from "./approvals.ts";

/** Planning looks at a store, a process table and a git repository; longer than this it hangs. */
const planTimeoutMs = 60_000;

export function findOperation(name: string): Operation | undefined {
  return operations.find((operation) => operation.name === name);
}

export function describeOperations(): OperationDescriptor[] {
  return operations.map(({ name, description, input }) => ({
    name,
    description,
    inputSchema: z.toJSONSchema(input, { io: "input", unrepresentable: "any" }) as Record<string, unknown>,
  }));
}

/** Throws ToolError for an unknown operation, an input that does not fit, and a request that cannot be done. */
export function planOperation(fleet: FleetServices): Planner {
  return async ({ operation, input, proposer }) => {
    const tool = findOperation(operation);
    if (!tool) {
      throw new ToolError(`there is no operation ${operation}`, {
        code: "unknown_operation",
        hint: `known: ${operations.map(({ name }) => name).join(", ")}`,
      });
    }
    const parsed = tool.input.safeParse(input ?? {});
    if (!parsed.success) {
      const problems = parsed.error.issues.map((issue) => `${issue.path.join(".") || "input"}: ${issue.message}`);
      throw new ToolError(`the input of ${operation} does not fit: ${problems.join("; ")}`, {
        code: "invalid_input",
        hint: "mend these fields",
      });
    }
    const context = { fleet, proposer, signal: AbortSignal.timeout(planTimeoutMs) };
    const fixed = tool.normalize ? await tool.normalize(context, parsed.data) : parsed.data;
    return { tool, input: fixed as Json, draft: await tool.plan(context, fixed) };
  };
}
