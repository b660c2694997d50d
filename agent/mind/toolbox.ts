/** The tools of one run: read tools, which run here, and operations, which are proposed to the gateway. */
import { z } from "zod";
import { ToolError } from "../../tools/errors.ts";
import type { Json } from "../../tools/json.ts";
import type { ReadContext, ReadTool, Trust } from "../../tools/tool.ts";
import type { OperationDescriptor, ProposeAnswer } from "../protocol.ts";
import type { LoopTool, ToolOutcome } from "./loop.ts";
import type { ToolCall, ToolSpec } from "./models/model.ts";

export interface ToolboxOptions {
  readTools: ReadTool[];
  operations: OperationDescriptor[];
  context: Omit<ReadContext, "call" | "signal">;
  /** Asks the gateway. Asking again with the same call finds the first proposal. */
  propose(call: string, operation: string, input: unknown): Promise<ProposeAnswer>;
}

const trustOrder: Trust[] = ["public", "self", "maintainer"];

/** Tools in a fixed order. The run's trust sinks with what its tools have read. */
export function makeToolbox(options: ToolboxOptions): LoopTool[] {
  let trust = options.context.trust;
  const sink = (data: Json | undefined) => {
    const found = (data as { trust?: unknown } | undefined)?.trust;
    if (trustOrder.includes(found as Trust) && trustOrder.indexOf(found as Trust) < trustOrder.indexOf(trust))
      trust = found as Trust;
  };
  const reads = options.readTools.map(
    (tool): LoopTool => ({
      name: tool.name,
      spec: () => specOf(tool),
      async run(call, signal) {
        const input = tool.input.safeParse(call.input);
        if (!input.success) throw badInput(tool.name, input.error);
        const result = await tool.run({ ...options.context, trust, call: call.call, signal }, input.data);
        sink(result.data);
        return { ok: true, ...result };
      },
    }),
  );
  const operations = options.operations.map(
    (operation): LoopTool => ({
      name: operation.name,
      spec: () => operation,
      // Not given the signal: a proposal is never left half made.
      run: (call) => propose(call, operation.name, options),
    }),
  );
  return [...reads, ...operations];
}

const specs = new WeakMap<ReadTool, ToolSpec>();

function specOf(tool: ReadTool): ToolSpec {
  const known = specs.get(tool);
  if (known) return known;
  const { $schema: _, ...inputSchema } = z.toJSONSchema(tool.input, { io: "input" });
  const spec = { name: tool.name, description: tool.description, inputSchema };
  specs.set(tool, spec);
  return spec;
}

async function propose(call: ToolCall, operation: string, options: ToolboxOptions): Promise<ToolOutcome> {
  const answer = await options.propose(call.call, operation, call.input);
  if (answer.status === "refused") {
    const { code, message, hint } = answer;
    return { ok: false, text: hint === "" ? message : `${message}. ${hint}`, data: { error: { code, message, hint } } };
  }
  const { status: _, ...proposal } = answer;
  const warnings = proposal.warnings.map((warning) => `\nWarning: ${warning}`).join("");
  const text =
    proposal.state === "approved"
      ? `Started under policy, without a person: ${proposal.summary} (approval ${proposal.approval}).${warnings}`
      : `Proposed, not done: ${proposal.summary}. It waits for ${proposal.quorum} approval(s) by maintainers until ` +
        `${new Date(proposal.expiresAt).toISOString()}, on the console's Approvals page or with ` +
        `\`clawdinator approvals approve ${proposal.approval}\`. You cannot approve it.${warnings}`;
  return { ok: true, text, data: { proposal } };
}

function badInput(tool: string, error: z.ZodError): ToolError {
  const issues = error.issues.map((issue) => `${issue.path.join(".") || "input"}: ${issue.message}`).join("; ");
  return new ToolError(`the input for ${tool} is not right: ${issues}`, {
    code: "bad_input",
    hint: "call it again with the input mended",
  });
}
