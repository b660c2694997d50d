/** Messages over HTTP and what becomes of them. */

import { readConversation } from "../../agent/conversations.ts";
import type { Answer } from "../../agent/gateway/inbox.ts";
import { fleetPaths } from "../../agent/paths.ts";
import type { ConversationEntry, RunEvent } from "../../agent/protocol.ts";
import type { Store } from "../../tools/store.ts";
import type { TestFleet } from "./fleet.ts";
import { waitFor } from "./wait.ts";

interface Message {
  conversation: string;
  text: string;
  message: string;
  to?: string;
}

/** Posts the message, again with the same id after every lost connection, and returns what a reader has in the end. */
export async function chat(fleet: TestFleet, message: Message, timeoutMs = 60_000): Promise<RunEvent[]> {
  return waitFor(
    async () => {
      const events = await postOnce(fleet, message).catch(() => []);
      return events.some((event) => event.type === "done") ? sinceRestart(events) : null;
    },
    { timeoutMs, what: `an answer to ${JSON.stringify(message)}` },
  );
}

async function postOnce(fleet: TestFleet, message: Message): Promise<RunEvent[]> {
  const response = await fleet.fetch("/api/chat", { method: "POST", body: message });
  const events: RunEvent[] = [];
  if (!response.ok || !response.body) throw new Error(`${response.status}: ${await response.text()}`);
  let rest = "";
  try {
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line.startsWith("data: ")) events.push(JSON.parse(line.slice(6)) as RunEvent);
    }
  } catch {
    // The connection broke; what came is judged by the caller.
  }
  return events;
}

function sinceRestart(events: RunEvent[]): RunEvent[] {
  return events.slice(events.findLastIndex(({ type }) => type === "restart") + 1);
}

export function textOf(events: RunEvent[]): string {
  return events.map((event) => (event.type === "text" ? event.text : "")).join("");
}

export function entriesOf(fleet: TestFleet, conversation: string): Promise<ConversationEntry[]> {
  return readConversation({ directory: fleetPaths(fleet.home).conversations, conversation });
}

interface Claim {
  message: string;
  state: string;
  request: { to: string; conversation: string; text: string };
  answer: Answer | null;
}

/** Claims of the console's channel whose message satisfies `wanted`. */
export async function claimsOf(store: Store, wanted: (claim: Claim) => boolean): Promise<Claim[]> {
  const keys = await store.list("inbox/console/");
  const claims = await Promise.all(keys.map(async ({ key }) => (await store.get(key))?.value as unknown as Claim));
  return claims.filter(wanted);
}
