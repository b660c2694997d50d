/** `clawdinator ask`: one message, its answer as it comes, and the operations it proposes. */
import { randomUUID } from "node:crypto";
import { ConfigError, isKnownError, ToolError } from "../../tools/errors.ts";
import type { RunEvent } from "../protocol.ts";
import { type Client, connect } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { followApproval } from "./follow.ts";
import { UsageError, visible } from "./output.ts";

/** How long a lost gateway may take to come back, in a handover or a restart, before the command gives up. */
const reconnectMs = 60_000;
const retryMs = 200;

export async function ask(context: CommandContext, text: string, options: Record<string, unknown>): Promise<void> {
  const { output } = context;
  if (text.trim() === "") throw new UsageError("there is nothing to ask", 'clawdinator ask "status"');
  // Fixed once: sent again after a lost connection, even to another gateway, it is the same message to the same name.
  const to = typeof options.to === "string" ? options.to.toUpperCase() : (await connect(context)).name;
  const conversation = typeof options.conversation === "string" ? options.conversation : `cli-${to.toLowerCase()}`;
  const body = { conversation, text, message: randomUUID(), to };
  const proposals: Extract<RunEvent, { type: "proposal" }>[] = [];
  let shown = "";
  let done: Extract<RunEvent, { type: "done" }> | null = null;
  let failure: Extract<RunEvent, { type: "error" }> | null = null;
  const onEvent = (event: RunEvent): void => {
    if (event.type === "restart") {
      if (shown !== "") output.note(`\n(${event.reason}; the answer begins again)`);
      shown = "";
      return;
    }
    if (event.type === "text") {
      shown += event.text;
      if (output.json) output.line(event, null);
      else process.stdout.write(visible(event.text));
      return;
    }
    if (event.type === "proposal") {
      if (proposals.some((one) => one.approval === event.approval)) return;
      proposals.push(event);
      output.line(event, null);
      return;
    }
    if (event.type === "picture") {
      output.line(event, `${shown === "" || shown.endsWith("\n") ? "" : "\n"}[picture: ${visible(event.alt)}]`);
      return;
    }
    if (event.type === "notice") output.note(`${shown === "" ? "" : "\n"}(${event.text})`);
    if (event.type === "error") failure = event;
    if (event.type === "done") done = event;
    if (event.type !== "tool") output.line(event, null);
  };
  await sendUntilDone({ context, body, onEvent, isDone: () => done !== null });
  if (!output.json && shown !== "") process.stdout.write("\n");
  const failed = failure as Extract<RunEvent, { type: "error" }> | null;
  if (failed) throw new ToolError(failed.message, { code: failed.code, hint: failed.hint });
  if (options.wait !== true) return;
  for (const proposal of proposals) await followApproval(context, proposal.approval, { asStream: true });
}

/** The message is durable at the gateway before anything comes back, so sending it again is safe. */
async function sendUntilDone(options: {
  context: CommandContext;
  body: Record<string, unknown>;
  onEvent(event: RunEvent): void;
  isDone(): boolean;
}): Promise<void> {
  const { context, body, onEvent, isDone } = options;
  let end = performance.now() + reconnectMs;
  let wasConnected = false;
  while (!isDone()) {
    try {
      const client: Client = await connect(context);
      if (wasConnected) onEvent({ type: "restart", reason: "connected again" });
      // From here the message may be stored, whatever comes back.
      wasConnected = true;
      await client.stream("/api/chat", body, (data) => {
        end = performance.now() + reconnectMs;
        onEvent(data as RunEvent);
      });
    } catch (error) {
      const isRefusal = isKnownError(error) && !(error instanceof ConfigError && error.code === "no_gateway");
      if (isRefusal || !wasConnected || performance.now() > end) throw error;
    }
    if (isDone()) return;
    if (performance.now() > end) {
      throw new ConfigError("the connection to the gateway was lost and did not come back", {
        code: "no_gateway",
        hint: "the message is stored and will be answered; look into the conversation in the console",
      });
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}
