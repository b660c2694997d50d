/** Follows an approval and the operation that comes of it, one line per change. */
import { ToolError } from "../../tools/errors.ts";
import type { ApprovalView, OperationView } from "../protocol.ts";
import { type Client, connect } from "./client.ts";
import type { CommandContext } from "./context.ts";

const pollMs = 200;

/**
 * Returns when the operation has ended well; throws when it did not, or when the plan was not approved. `asStream`: with
 * --json each change is a line; a command whose result is one value leaves them out.
 */
export async function followApproval(
  context: CommandContext,
  id: string,
  options: { asStream: boolean },
): Promise<OperationView> {
  let announced = false;
  for (;;) {
    const approval = await retrying(context, (client) =>
      client.get<ApprovalView>(`/api/approvals/${encodeURIComponent(id)}`),
    );
    if (approval.state === "executed" && approval.operationId)
      return followOperation(context, approval.operationId, options);
    if (approval.state === "superseded" && approval.supersededBy) {
      throw new ToolError(`${id} was superseded: ${approval.reason}`, {
        code: "superseded",
        hint: `decide ${approval.supersededBy}`,
      });
    }
    if (approval.state !== "pending" && approval.state !== "approved") {
      throw new ToolError(`${id} is ${approval.state}: ${approval.reason ?? ""}`, {
        code: approval.state,
        hint: "ask again when it is wanted",
      });
    }
    if (!announced && approval.state === "pending") {
      context.output.note(`waiting for approval: clawdinator approvals approve ${id}`);
      announced = true;
    }
    await pause();
  }
}

async function followOperation(
  context: CommandContext,
  id: string,
  { asStream }: { asStream: boolean },
): Promise<OperationView> {
  const states = new Map<string, string>();
  let progress: string | null = null;
  for (;;) {
    const operation = await retrying(context, (client) =>
      client.get<OperationView>(`/api/operations/${encodeURIComponent(id)}`),
    );
    let changed = false;
    for (const step of operation.steps) {
      if (step.state === "pending" || states.get(step.name) === step.state) continue;
      states.set(step.name, step.state);
      changed = true;
      context.output.note(`  ${step.state.padEnd(12)} ${step.name}${step.error ? `: ${step.error}` : ""}`);
    }
    if (operation.progress && operation.progress !== progress)
      context.output.note(`               ${operation.progress}`);
    progress = operation.progress;
    if (asStream && (changed || operation.endedAt !== null)) {
      const steps = operation.steps.map(({ name, state }) => ({ name, state }));
      context.output.line(
        { type: "operation", id, operation: operation.operation, state: operation.state, steps },
        null,
      );
    }
    if (operation.endedAt !== null) {
      if (operation.state === "succeeded") {
        context.output.note(`${operation.summary}: done`);
        return operation;
      }
      const log = operation.error?.log.length ? `\n${operation.error.log.map((line) => `    ${line}`).join("\n")}` : "";
      throw new ToolError(
        `${operation.summary}: ${operation.state}: ${operation.error?.message ?? "it failed"}${log}`,
        {
          code: `operation_${operation.state}`,
          hint: operation.error?.hint ?? `clawdinator operations show ${id}`,
        },
      );
    }
    await pause();
  }
}

/** A gateway that hands over or restarts is gone for a moment. */
async function retrying<T>(context: CommandContext, work: (client: Client) => Promise<T>): Promise<T> {
  const end = performance.now() + 60_000;
  for (;;) {
    try {
      return await work(await connect(context));
    } catch (error) {
      if ((error as { code?: string }).code !== "no_gateway" || performance.now() > end) throw error;
      await pause();
    }
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pollMs));
}
