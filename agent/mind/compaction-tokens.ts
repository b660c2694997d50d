/** How many tokens a request has, as far as it can be told without the model's own count. */
import type { ModelMessage, ToolSpec } from "./models/model.ts";

/** English prose has about four bytes a token, JSON and code about three: a guess that rather says too much. */
const bytesPerToken = 3.5;
/** Role and separators of one message. */
const tokensPerMessage = 6;

const known = new WeakMap<object, number>();

export function tokensOfText(text: string): number {
  return Buffer.byteLength(text) / bytesPerToken;
}

function tokensOfMessage(message: ModelMessage): number {
  let tokens = known.get(message);
  if (tokens === undefined) {
    tokens = tokensPerMessage + tokensOfText(message.text);
    if (message.role === "user" && message.context !== undefined) tokens += tokensOfText(message.context);
    if (message.role === "assistant") {
      for (const call of message.calls) tokens += tokensPerMessage + tokensOfText(JSON.stringify(call));
      if (message.replay) tokens += tokensOfText(JSON.stringify(message.replay.items));
    }
    known.set(message, tokens);
  }
  return tokens;
}

interface Counted {
  messages: readonly ModelMessage[];
  /** At each place the tokens of all messages before it. */
  sums: number[];
}

const counted = new WeakMap<object, Counted>();

/** Of the whole list; where it begins as the last one of this conversation did, only the rest is counted. */
export function tokensOfMessages(conversation: object, messages: readonly ModelMessage[]): number {
  const last = counted.get(conversation);
  const sums = last?.sums ?? [0];
  let same = 0;
  while (same < sums.length - 1 && same < messages.length && last?.messages[same] === messages[same]) same++;
  sums.length = same + 1;
  let sum = sums[same] ?? 0;
  for (let index = same; index < messages.length; index++) {
    const message = messages[index];
    if (message) sum += tokensOfMessage(message);
    sums.push(sum);
  }
  counted.set(conversation, { messages, sums });
  return sum;
}

export function tokensOfTools(tools: ToolSpec[]): number {
  let tokens = 0;
  for (const tool of tools) {
    let own = known.get(tool);
    if (own === undefined) {
      own = tokensOfText(JSON.stringify(tool));
      known.set(tool, own);
    }
    tokens += own;
  }
  return tokens;
}
