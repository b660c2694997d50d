/** The OpenAI Responses format, as strict as the real interface without storage: see `Wire`. */
import { openAiResponsesModel } from "../../agent/mind/models/openai-responses.ts";
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
type Item = { type?: string; id?: string; [key: string]: unknown };
interface Body {
  model: string;
  store?: boolean;
  include?: string[];
  prompt_cache_key?: string;
  tools?: { [key: string]: unknown }[];
  parallel_tool_calls?: boolean;
  input: Item[];
}

const topFields =
  "model stream store include reasoning max_output_tokens prompt_cache_key tools parallel_tool_calls tool_choice instructions input".split(
    " ",
  );
const itemFields: Record<string, string[]> = {
  message: ["type", "role", "content", "id", "status", "phase"],
  reasoning: ["type", "id", "summary", "encrypted_content", "content", "status"],
  function_call: ["type", "id", "call_id", "name", "arguments", "status"],
  function_call_output: ["type", "call_id", "output"],
};

function responsesWire(): Wire {
  /** Reasoning that was given out by its encrypted content, with the id of the item that followed it. */
  const issued = new Map<string, { item: string; follower: string }>();
  let answers = 0;
  return {
    path: "/v1/responses",
    problemOf: (body) => problemOf(body as unknown as Body, issued),
    streamOf(turn, body) {
      answers += 1;
      const items = itemsOf(turn, answers);
      for (const [index, item] of items.entries()) {
        if (item.type !== "reasoning") continue;
        issued.set(String(item.encrypted_content), {
          item: JSON.stringify(item),
          follower: String(items[index + 1]?.id),
        });
      }
      return eventStream(eventsOf(turn, items, { model: String(body.model), answer: answers }));
    },
    errorOf: (type, message) => ({ error: { type, code: null, param: null, message } }),
  };
}

export const startResponsesServer = (answers: WireAnswer[]): Promise<WireServer> =>
  startWireServer(responsesWire(), answers);

export const responsesProvider: WiredProvider = {
  name: "openai",
  wire: responsesWire,
  model: openAiResponsesModel,
  environment: ({ key, baseUrl }) => ({ OPENAI_API_KEY: key, OPENAI_BASE_URL: baseUrl }),
  keyHeader: (key) => ["authorization", `Bearer ${key}`],
  modelName: "gpt-6.1-sol",
};

function problemOf(body: Body, issued: Map<string, { item: string; follower: string }>): string | null {
  const unknown = unknownField(body, topFields, "body");
  if (unknown !== null) return unknown;
  if (body.store !== false) return "this organization stores nothing: store must be false";
  if (!body.include?.includes("reasoning.encrypted_content")) return "include: reasoning.encrypted_content is missing";
  if ((body.prompt_cache_key ?? "").length > 64) return "prompt_cache_key: string too long";
  if (body.parallel_tool_calls !== undefined && !body.tools) return "parallel_tool_calls is only allowed with tools";
  for (const tool of body.tools ?? []) {
    const extra = unknownField(tool, ["type", "name", "description", "parameters", "strict"], "tools");
    if (extra !== null) return extra;
  }
  if (body.input.length === 0) return "input: must not be empty";
  return pairProblem(body.input) ?? firstItemProblem(body.input, issued);
}

function pairProblem(input: Item[]): string | null {
  const open = new Set<unknown>();
  const seen = new Set<unknown>();
  for (const item of input) {
    if (item.type === "function_call") {
      if (seen.has(item.call_id)) return `Duplicate call_id ${item.call_id}`;
      seen.add(item.call_id);
      open.add(item.call_id);
    } else if (item.type === "function_call_output") {
      if (!open.delete(item.call_id))
        return `No tool call found for function call output with call_id ${item.call_id}.`;
    } else if (item.role === "user" && open.size > 0) {
      return `No tool output found for function call ${[...open].join()}.`;
    }
  }
  return open.size > 0 ? `No tool output found for function call ${[...open].join()}.` : null;
}

function firstItemProblem(input: Item[], issued: Map<string, { item: string; follower: string }>): string | null {
  const followers = new Set([...issued.values()].map(({ follower }) => follower));
  for (const [index, item] of input.entries()) {
    const where = `input[${index}]`;
    const fields = itemFields[item.type ?? "message"];
    if (!fields) return `${where}: Invalid value: '${item.type}'`;
    const unknown = unknownField(item, fields, where);
    if (unknown !== null) return unknown;
    if (item.type === "reasoning") {
      const known = issued.get(String(item.encrypted_content));
      if (known?.item !== JSON.stringify(item)) return `${where}: The encrypted content could not be verified.`;
      if (input[index + 1]?.id !== known.follower)
        return `Item '${item.id}' of type 'reasoning' was provided without its required following item.`;
    } else if (item.id !== undefined && followers.has(item.id) && input[index - 1]?.type !== "reasoning") {
      return `Item '${item.id}' of type '${item.type}' was provided without its required 'reasoning' item.`;
    }
    if (item.type === "function_call") {
      if (!/^[a-zA-Z0-9_-]{1,64}$/.test(String(item.name))) return `${where}.name: does not match pattern`;
      if (typeof item.arguments !== "string") return `${where}.arguments: expected a string`;
    }
    if (item.call_id !== undefined && !/^.{1,64}$/.test(String(item.call_id)))
      return `${where}.call_id: string too long`;
    if (item.type === "message" && item.content === "") return `${where}.content: empty`;
  }
  return null;
}

function itemsOf(turn: WireTurn, answer: number): Item[] {
  const reasoning: Item[] =
    turn.thinking === undefined
      ? []
      : [
          {
            id: `rs_${answer}`,
            type: "reasoning",
            summary: [{ type: "summary_text", text: turn.thinking }],
            encrypted_content: Buffer.from(`secret ${answer} ${turn.thinking}`).toString("base64"),
          },
        ];
  const message = (id: string, text: string): Item => ({
    id,
    type: "message",
    status: "completed",
    role: "assistant",
    content: [
      turn.end === "declined"
        ? { type: "refusal", refusal: "It could do harm." }
        : { type: "output_text", annotations: [], logprobs: [], text },
    ],
  });
  const text = turn.text || turn.end === "declined" ? [message(`msg_${answer}`, (turn.text ?? []).join(""))] : [];
  const calls = (turn.calls ?? []).map(
    ({ id, name, arguments: pieces }, index): Item => ({
      id: `fc_${answer}_${index}`,
      type: "function_call",
      status: "completed",
      call_id: id ?? `call_${answer}_${index}`,
      name,
      arguments: pieces.join(""),
    }),
  );
  const between = turn.textBetween === undefined ? [] : [message(`msg_${answer}_b`, turn.textBetween)];
  return [...reasoning, ...text, ...calls.slice(0, 1), ...between, ...calls.slice(1)];
}

function eventsOf(turn: WireTurn, items: Item[], { model, answer }: { model: string; answer: number }): WireEvent[] {
  const { input, cacheRead, cacheWrite, output } = {
    cacheRead: 0,
    cacheWrite: 0,
    ...(turn.usage ?? { input: 1, output: 1 }),
  };
  const response = (status: string, rest: object): object => ({
    response: {
      id: `resp_${answer}`,
      object: "response",
      status,
      model,
      error: null,
      incomplete_details: null,
      ...rest,
    },
  });
  let call = -1;
  const parts = items.flatMap((item, output_index): WireEvent[] => {
    if (item.type === "function_call") call += 1;
    return [
      { type: "response.output_item.added", output_index, item: { ...item, status: "in_progress", ...emptied(item) } },
      ...deltasOf(item, { turn, call, output_index }),
      { type: "response.output_item.done", output_index, item },
    ];
  });
  const total = input + cacheRead + cacheWrite;
  const usage = {
    input_tokens: total,
    input_tokens_details: { cached_tokens: cacheRead, cache_write_tokens: cacheWrite },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: total + output,
  };
  const end =
    turn.end === "length"
      ? {
          type: "response.incomplete",
          ...response("incomplete", { incomplete_details: { reason: "max_output_tokens" }, usage }),
        }
      : { type: "response.completed", ...response("completed", { output: items, usage }) };
  const events = [
    { type: "response.created", ...response("in_progress", { output: [], usage: null }) },
    { type: "response.in_progress", ...response("in_progress", { output: [], usage: null }) },
    ...parts,
    end,
  ];
  return events.map((event, sequence_number) => ({ ...event, sequence_number }));
}

function emptied(item: Item): object {
  if (item.type === "message") return { content: [] };
  return item.type === "function_call" ? { arguments: "" } : {};
}

function deltasOf(
  item: Item,
  { turn, call, output_index }: { turn: WireTurn; call: number; output_index: number },
): WireEvent[] {
  const at = { item_id: item.id, output_index, content_index: 0 };
  if (item.type === "message") {
    if (turn.end === "declined") return [{ type: "response.refusal.delta", ...at, delta: "It could do harm." }];
    const pieces = String(item.id).endsWith("_b") ? [turn.textBetween] : (turn.text ?? []);
    return pieces.map((delta) => ({ type: "response.output_text.delta", ...at, delta, logprobs: [] }));
  }
  if (item.type !== "function_call") return [];
  return (turn.calls?.[call]?.arguments ?? []).map((delta) => ({
    type: "response.function_call_arguments.delta",
    item_id: item.id,
    output_index,
    delta,
  }));
}
