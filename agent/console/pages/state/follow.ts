/** Sends a message and follows its answer, over as many connections as it takes. */
import type { RunEvent } from "../../../protocol.ts";
import { ApiError, postForStream } from "../lib/api.ts";
import { eventData } from "../lib/event-stream.ts";

export interface Follow {
  conversation: string;
  text: string;
  /** The same id at every try: the gateway answers a repeated message with the run that it already has. */
  message: string;
  signal: AbortSignal;
  onEvent(event: RunEvent): void;
  /** A stream begins and will tell everything again: what was shown so far is void. */
  onBegin(): void;
  onReconnecting(): void;
}

/** Give up after this long without anything new from the gateway. */
const patienceMs = 60_000;
const firstDelayMs = 300;
const longestDelayMs = 5000;

/** Resolves after `done`. Throws ApiError when the gateway refuses, or stays silent for too long. */
export async function follow(options: Follow): Promise<void> {
  const body = { conversation: options.conversation, text: options.text, message: options.message };
  let lastWord = Date.now();
  let delayMs = firstDelayMs;
  let mostEvents = 0;
  while (true) {
    try {
      const response = await postForStream("/api/chat", body, options.signal);
      let events = 0;
      for await (const data of eventData(response.body ?? new ReadableStream())) {
        if (events === 0) options.onBegin();
        events += 1;
        // Hearing the same beginning again is no progress: a stream that always ends early must not be asked for ever.
        if (events > mostEvents) {
          mostEvents = events;
          lastWord = Date.now();
          delayMs = firstDelayMs;
        }
        const event = JSON.parse(data) as RunEvent;
        options.onEvent(event);
        if (event.type === "done") return;
      }
    } catch (error) {
      if (options.signal.aborted) throw error;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) throw error;
      if (Date.now() - lastWord > patienceMs) throw error;
    }
    if (Date.now() - lastWord > patienceMs) throw lostAnswer();
    options.onReconnecting();
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    options.signal.throwIfAborted();
    delayMs = Math.min(delayMs * 2, longestDelayMs);
  }
}

function lostAnswer(): ApiError {
  return new ApiError({
    status: 0,
    code: "answer_lost",
    message: "The connection was lost before the answer was complete.",
    hint: "Follow it again: your message was not lost and is not sent twice.",
  });
}
