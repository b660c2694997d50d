/** The tools of one run: read tools, which run here, and operations, which are proposed to the gateway. */
import { z } from "zod";
import { ToolError } from "../../tools/errors.ts";
import { lowestTrustOf } from "../../tools/memory-provenance.ts";
import type { ReadContext, ReadTool, ToolResult } from "../../tools/tool.ts";
import type { OperationDescriptor, ProposeAnswer } from "../protocol.ts";
import { cleanSource, mergeSources, nameSources } from "../public-sources.ts";
import type { LoopTool, ToolOutcome } from "./loop.ts";
import type { ToolSpec } from "./models/model.ts";
import { framePublicText } from "./public-text.ts";

export interface ToolboxOptions {
  readTools: ReadTool[];
  operations: OperationDescriptor[];
  /** `trust` is what the run begins with: the asker's own, or what its conversation holds where that is lower. */
  context: Omit<ReadContext, "call" | "signal">;
  /** Where public text that its conversation holds came from. */
  publicSources?: readonly string[];
  /**
   * Asks the gateway. Asking again with the same call finds the first proposal. `publicSources`: where public text that
   * the run has read by now came from.
   */
  propose(call: string, operation: string, input: unknown, publicSources: string[]): Promise<ProposeAnswer>;
}

/**
 * Tools in a fixed order, whatever the run may do: what is forbidden to it stays listed and is refused when it is called.
 * The run's trust sinks with what its tools have read.
 */
export function makeToolbox(options: ToolboxOptions): LoopTool[] {
  let { trust } = options.context;
  let sources = mergeSources([], options.publicSources ?? []);
  // Public text without a name is public all the same.
  if (trust === "public" && sources.length === 0) sources = [cleanSource("")];

  const takeIn = (tool: string, result: ToolResult): ToolOutcome => {
    const { text, data, trust: found } = result;
    if (found !== undefined) trust = lowestTrustOf([{ trust }, { trust: found }]);
    if (found !== "public") return { ok: true, text, data, trust: found };
    const source = cleanSource(result.source ?? tool);
    sources = mergeSources(sources, [source]);
    return { ok: true, text: framePublicText(text, source), data, trust: found, source };
  };
  const reads = options.readTools.map(
    (tool): LoopTool => ({
      name: tool.name,
      spec: () => specOf(tool),
      repeatable: tool.repeatable ?? true,
      async run(call, signal) {
        const input = tool.input.safeParse(call.input);
        if (!input.success) throw badInput(tool.name, input.error);
        return takeIn(tool.name, await tool.run({ ...options.context, trust, call: call.call, signal }, input.data));
      },
    }),
  );
  const operations = options.operations.map(
    (operation): LoopTool => ({
      name: operation.name,
      spec: () => operation,
      // Not given the signal: a proposal is never left half made.
      run: async (call) => told(await options.propose(call.call, operation.name, call.input, [...sources])),
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

/** What became of a proposal, for the model. */
function told(answer: ProposeAnswer): ToolOutcome {
  if (answer.status === "refused") {
    const { code, message, hint } = answer;
    return { ok: false, text: hint === "" ? message : `${message}. ${hint}`, data: { error: { code, message, hint } } };
  }
  const { status: _, ...proposal } = answer;
  const { publicSources = [] } = proposal;
  const mark =
    publicSources.length > 0 ? [`Its card says: influenced by public text, from ${nameSources(publicSources)}.`] : [];
  const notes = [...proposal.warnings.map((warning) => `Warning: ${warning}`), ...mark];
  const after = notes.map((note) => `\n${note}`).join("");
  const text =
    proposal.state === "approved"
      ? `Started under policy, without a person: ${proposal.summary} (approval ${proposal.approval}).${after}`
      : `Proposed, not done: ${proposal.summary}. It waits for ${proposal.quorum} approval(s) by maintainers until ` +
        `${new Date(proposal.expiresAt).toISOString()}, wherever they are: on its card, which Discord and the console ` +
        `show beside your answer, or with \`clawdinator approvals approve ${proposal.approval}\`. ` +
        `You cannot approve it.${after}`;
  return { ok: true, text, data: { proposal } };
}

function badInput(tool: string, error: z.ZodError): ToolError {
  const issues = error.issues.map((issue) => `${issue.path.join(".") || "input"}: ${issue.message}`).join("; ");
  return new ToolError(`the input for ${tool} is not right: ${issues}`, {
    code: "bad_input",
    hint: "call it again with the input mended",
  });
}
