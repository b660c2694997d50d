import type { ApprovalView, OperationView } from "../protocol.ts";
import { connect } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { table, timeOf, UsageError } from "./output.ts";

export async function list(context: CommandContext): Promise<void> {
  const { operations } = await (await connect(context)).get<{ operations: OperationView[] }>("/api/operations");
  context.output.result({ operations }, () =>
    operations.length === 0
      ? "nothing ran yet"
      : table(
          ["ID", "STATE", "STARTED (UTC)", "WHAT"],
          operations.map((one) => [one.id, one.state, timeOf(one.startedAt), one.summary]),
        ),
  );
}

export async function show(context: CommandContext, id: string): Promise<void> {
  const operation = await (await connect(context)).get<OperationView>(`/api/operations/${encodeURIComponent(id)}`);
  context.output.result(operation, () => render(operation));
}

export async function propose(
  context: CommandContext,
  operation: string,
  options: Record<string, unknown>,
): Promise<void> {
  let input: unknown;
  try {
    input = JSON.parse(String(options.input ?? "{}"));
  } catch (error) {
    throw new UsageError(`--input is not JSON: ${(error as Error).message}`, `--input '{"name":"CLAWDINATOR-2"}'`);
  }
  const { approval } = await (await connect(context)).post<{ approval: ApprovalView }>("/api/operations", {
    operation,
    input,
  });
  context.output.result(approval, () =>
    approval.state === "pending"
      ? `proposed: ${approval.summary}\n  clawdinator approvals approve ${approval.id}`
      : `${approval.summary}: policy needs no approval; it starts now`,
  );
}

export async function act(context: CommandContext, id: string, action: "cancel" | "resume"): Promise<void> {
  const operation = await (await connect(context)).post<OperationView>(`/api/operations/${encodeURIComponent(id)}`, {
    action,
  });
  context.output.result(operation, () => `${id}: ${action === "cancel" ? "is being cancelled" : "is taken up again"}`);
}

function render(operation: OperationView): string {
  const rows = operation.steps.map((step) => {
    const seconds =
      step.startedAt !== null && step.endedAt !== null
        ? `${((step.endedAt - step.startedAt) / 1000).toFixed(1)} s`
        : "";
    return [step.name, step.state, timeOf(step.startedAt), seconds, String(step.attempts), step.error ?? ""];
  });
  return [
    `${operation.id}  ${operation.state}  ${operation.summary}`,
    `approval ${operation.approval}, proposed by ${operation.proposedBy}, approved by ${operation.approvedBy.join(", ")}`,
    "",
    table(["STEP", "STATE", "STARTED (UTC)", "TOOK", "TRIES", "ERROR"], rows),
    ...(operation.progress ? [`… ${operation.progress}`] : []),
    ...(operation.error
      ? [
          "",
          `error: ${operation.error.message}`,
          `  → ${operation.error.hint}`,
          ...operation.error.log.map((line) => `  | ${line}`),
        ]
      : []),
  ].join("\n");
}
