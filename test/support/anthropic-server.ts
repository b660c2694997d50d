/** The Anthropic Messages format, as strict as the real interface: see `Wire`. */
import { createHash } from "node:crypto";
import { anthropicModel } from "../../agent/mind/models/anthropic.ts";
import {
  eventStream,
  startWireServer,
  unknownField,
  type Wire,
  type WireAnswer,
  type WiredProvider,
  type WireServer,
  type WireTurn,
} from "./wire-server.ts";

type WireEvent = { type: string; [key: string]: unknown };
type Block = { type: string; [key: string]: unknown };
interface Body {
  model: string;
  max_tokens: number;
  stream?: boolean;
  thinking?: { type: string; budget_tokens?: number };
  system?: Block[] | string;
  tools?: { name: string; input_schema: { type?: unknown }; [key: string]: unknown }[];
  messages: { role: string; content: string | Block[] }[];
}

const topFields =
  "model max_tokens messages stream cache_control system tools tool_choice thinking output_config metadata stop_sequences".split(
    " ",
  );
const blockFields: Record<string, string[]> = {
  text: ["type", "text", "cache_control"],
  thinking: ["type", "thinking", "signature"],
  redacted_thinking: ["type", "data"],
  tool_use: ["type", "id", "name", "input", "cache_control"],
  tool_result: ["type", "tool_use_id", "content", "is_error", "cache_control"],
};

function anthropicWire(): Wire {
  /** Thinking that was given out, by signature or data: the block, and what was sent before it. */
  const issued = new Map<string, { block: string; prefix: string }>();
  let answers = 0;
  return {
    path: "/v1/messages",
    problemOf: (body) => problemOf(body as unknown as Body, issued),
    streamOf(turn, body) {
      answers += 1;
      const blocks = blocksOf(turn, answers);
      const prefix = prefixOf(body as unknown as Body, Number.POSITIVE_INFINITY);
      for (const block of blocks) {
        if (isThinking(block)) issued.set(sealOf(block), { block: JSON.stringify(block), prefix });
      }
      return eventStream(eventsOf(turn, blocks, String(body.model)));
    },
    errorOf: (type, message) => ({ type: "error", error: { type, message }, request_id: "req_test" }),
  };
}

export const startAnthropicServer = (answers: WireAnswer[]): Promise<WireServer> =>
  startWireServer(anthropicWire(), answers);

export const anthropicProvider: WiredProvider = {
  name: "anthropic",
  wire: anthropicWire,
  model: anthropicModel,
  environment: ({ key, baseUrl }) => ({ ANTHROPIC_API_KEY: key, ANTHROPIC_BASE_URL: baseUrl }),
  keyHeader: (key) => ["authorization", `Bearer ${key}`],
  modelName: "claude-sonnet-5-5",
};

function isThinking(block: Block): boolean {
  return block.type === "thinking" || block.type === "redacted_thinking";
}

function sealOf(block: Block): string {
  return String(block.signature ?? block.data);
}

/** Everything before message `end`; marks of the cache are no part of it, and turns of one role are one. */
function prefixOf(body: Body, end: number): string {
  const blocks = body.messages
    .slice(0, end)
    .flatMap(({ role, content }) => contentOf(content).map((block) => [role, withoutMark(block)]));
  const tools = body.tools?.map(withoutMark);
  const system = typeof body.system === "string" ? body.system : body.system?.map(withoutMark);
  return createHash("sha256")
    .update(JSON.stringify([system, tools, blocks]))
    .digest("hex");
}

function withoutMark({ cache_control: _mark, ...rest }: { [key: string]: unknown }): object {
  return rest;
}

function contentOf(content: string | Block[]): Block[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : content;
}

function problemOf(body: Body, issued: Map<string, { block: string; prefix: string }>): string | null {
  const unknown = unknownField(body, topFields, "body");
  if (unknown !== null) return unknown;
  if (!(body.max_tokens >= 1)) return "max_tokens: Field required";
  const budget = body.thinking?.budget_tokens;
  if (body.thinking?.type === "enabled" && /(fable|mythos|opus|sonnet|haiku)-5/.test(body.model))
    return '"thinking.type.enabled" is not supported for this model';
  if (budget !== undefined && (budget < 1024 || budget >= body.max_tokens))
    return "thinking.budget_tokens: out of range";
  const marks = JSON.stringify(body).split('"cache_control"').length - 1;
  if (marks > 4) return `A maximum of 4 blocks with cache_control may be provided. Found ${marks}.`;
  for (const { name, input_schema } of body.tools ?? []) {
    if (!/^[a-zA-Z0-9_-]{1,128}$/.test(name)) return `tools.name: ${name}`;
    if (input_schema?.type !== "object") return `tools.${name}.input_schema.type: Field required`;
  }
  if (body.messages[0]?.role !== "user") return "messages: first message must use the user role";
  if (body.messages.at(-1)?.role !== "user") return "This model does not support assistant message prefill";
  return firstOf(body.messages, (message, index) => messageProblem(body, message, index, issued));
}

function messageProblem(
  body: Body,
  { role, content: given, ...rest }: Body["messages"][number],
  index: number,
  issued: Map<string, { block: string; prefix: string }>,
): string | null {
  const where = `messages.${index}`;
  if (role !== "user" && role !== "assistant") return `${where}.role: ${role}`;
  const unknown = unknownField(rest, [], where);
  if (unknown !== null) return unknown;
  const content = contentOf(given);
  if (content.length === 0) return `${where}: all messages must have non-empty content`;
  const before = index > 0 ? contentOf(body.messages[index - 1]?.content ?? []) : [];
  const open = before.filter(({ type }) => type === "tool_use").map(({ id }) => id);
  const results = content.filter(({ type }) => type === "tool_result");
  const answered = results.map(({ tool_use_id }) => tool_use_id);
  const missing = open.filter((id) => !answered.includes(id));
  if (missing.length > 0)
    return `${where}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join()}`;
  if (answered.some((id) => !open.includes(id)))
    return `${where}: unexpected \`tool_use_id\` found in \`tool_result\` blocks`;
  if (new Set(answered).size !== answered.length) return `${where}: each tool_use must have a single result`;
  if (results.length > 0 && content.slice(0, results.length).some(({ type }) => type !== "tool_result"))
    return `${where}: tool_result blocks must come first`;
  const used = content.filter(({ type }) => type === "tool_use").map(({ id }) => id);
  if (new Set(used).size !== used.length) return `${where}: \`tool_use\` ids must be unique`;
  if (body.thinking?.type === "enabled" && role === "assistant" && index === body.messages.length - 2) {
    if (used.length > 0 && content[0] !== undefined && !isThinking(content[0]))
      return `${where}.content.0.type: Expected \`thinking\` or \`redacted_thinking\`, but found \`${content[0].type}\``;
  }
  return firstOf(content, (block, position) => {
    const spot = `${where}.content.${position}`;
    return (
      blockProblem(block, { role, spot }) ?? thinkingProblem(block, { spot, issued, prefix: prefixOf(body, index) })
    );
  });
}

function blockProblem(block: Block, { role, spot }: { role: string; spot: string }): string | null {
  const fields = blockFields[block.type];
  if (!fields) return `${spot}: Input tag '${block.type}' found`;
  const unknown = unknownField(block, fields, spot);
  if (unknown !== null) return unknown;
  const isUsers = block.type === "tool_result";
  const isModels = block.type === "tool_use" || isThinking(block);
  if ((isUsers && role !== "user") || (isModels && role !== "assistant")) return `${spot}: not in a ${role} message`;
  if (block.type === "text" && String(block.text).trim() === "")
    return `${spot}: text content blocks must contain non-whitespace text`;
  if (block.type === "tool_use") {
    if (!/^[a-zA-Z0-9_-]+$/.test(String(block.id))) return `${spot}.id: String should match pattern`;
    if (!/^[a-zA-Z0-9_-]{1,200}$/.test(String(block.name))) return `${spot}.name: String should match pattern`;
    if (typeof block.input !== "object" || block.input === null || Array.isArray(block.input))
      return `${spot}.input: Input should be a valid dictionary`;
  }
  return null;
}

function thinkingProblem(
  block: Block,
  { spot, issued, prefix }: { spot: string; issued: Map<string, { block: string; prefix: string }>; prefix: string },
): string | null {
  if (!isThinking(block)) return null;
  const known = issued.get(sealOf(block));
  if (known?.block !== JSON.stringify(block)) return `${spot}: Invalid \`signature\` in \`${block.type}\` block`;
  if (known.prefix !== prefix) return `${spot}: Invalid \`signature\`. The block is bound to a different conversation.`;
  return null;
}

function firstOf<T>(values: T[], problem: (value: T, index: number) => string | null): string | null {
  for (const [index, value] of values.entries()) {
    const found = problem(value, index);
    if (found !== null) return found;
  }
  return null;
}

/** The content of an answer; with thinking comes a redacted block too, and text between calls where it is asked for. */
function blocksOf(turn: WireTurn, answer: number): Block[] {
  const thought: Block[] =
    turn.thinking === undefined
      ? []
      : [
          { type: "thinking", thinking: turn.thinking, signature: seal(`thought ${answer}`) },
          { type: "redacted_thinking", data: seal(`hidden ${answer}`) },
        ];
  const text: Block[] = turn.text ? [{ type: "text", text: turn.text.join("") }] : [];
  const calls = (turn.calls ?? []).map(
    ({ id, name }, index): Block => ({
      type: "tool_use",
      id: id ?? `toolu_${answer}_${index}`,
      name,
      input: {},
    }),
  );
  const between: Block[] = turn.textBetween === undefined ? [] : [{ type: "text", text: turn.textBetween }];
  return [...thought, ...text, ...calls.slice(0, 1), ...between, ...calls.slice(1)];
}

function seal(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

function eventsOf(turn: WireTurn, blocks: Block[], model: string): WireEvent[] {
  const { input, cacheRead, cacheWrite, output } = {
    cacheRead: 0,
    cacheWrite: 0,
    ...(turn.usage ?? { input: 1, output: 1 }),
  };
  const usage = {
    input_tokens: input,
    cache_creation_input_tokens: cacheWrite,
    cache_read_input_tokens: cacheRead,
    service_tier: "standard",
  };
  const message = {
    id: "msg_01",
    type: "message",
    role: "assistant",
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { ...usage, output_tokens: 1 },
  };
  let call = -1;
  const parts = blocks.flatMap((block, index): WireEvent[] => {
    if (block.type === "tool_use") call += 1;
    const deltas = deltasOf(block, turn, call).map((delta) => ({ type: "content_block_delta", index, delta }));
    const start = { type: "content_block_start", index, content_block: emptied(block) };
    return [start, ...deltas, { type: "content_block_stop", index }];
  });
  const reason = {
    length: "max_tokens",
    declined: "refusal",
    none: (turn.calls ?? []).length > 0 ? "tool_use" : "end_turn",
  };
  const details =
    turn.end === "declined" ? { type: "refusal", category: "cyber", explanation: "It could do harm." } : null;
  return [
    { type: "message_start", message },
    { type: "ping" },
    ...parts,
    {
      type: "message_delta",
      ...{ delta: { stop_reason: reason[turn.end ?? "none"], stop_sequence: null, stop_details: details } },
      ...{ usage: { output_tokens: output } },
    },
    { type: "message_stop" },
  ];
}

function emptied(block: Block): Block {
  if (block.type === "text") return { ...block, text: "" };
  if (block.type === "thinking") return { ...block, thinking: "", signature: "" };
  return block;
}

function deltasOf(block: Block, turn: WireTurn, call: number): object[] {
  if (block.type === "text") {
    const pieces = block.text === turn.textBetween ? [turn.textBetween] : (turn.text ?? []);
    return pieces.map((text) => ({ type: "text_delta", text }));
  }
  if (block.type === "thinking") {
    const whole = String(block.thinking);
    const half = Math.ceil(whole.length / 2);
    const pieces = [whole.slice(0, half), whole.slice(half)].map((thinking) => ({ type: "thinking_delta", thinking }));
    return [...pieces, { type: "signature_delta", signature: block.signature }];
  }
  if (block.type !== "tool_use") return [];
  return (turn.calls?.[call]?.arguments ?? []).map((partial_json) => ({ type: "input_json_delta", partial_json }));
}
