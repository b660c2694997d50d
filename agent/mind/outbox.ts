/**
 * Events on their way to the gateway: in order, in small batches, kept until a gateway took them. After anything
 * uncertain (a lost connection, another gateway) a run's events are sent as one piece from the beginning.
 */
import type { RunEvent } from "../protocol.ts";

export interface OutboxOptions {
  /** Resolves when there is a gateway. */
  ready(): Promise<unknown>;
  /** `unknown`: the gateway does not know the run. `refused`: it will never take these events. Throws when it is gone. */
  post(run: string, events: RunEvent[]): Promise<"taken" | "unknown" | "refused">;
  onUnknown(run: string): void;
}

export interface Outbox {
  push(run: string, event: RunEvent): void;
  /** Sends a run again from its beginning: its gateway may have seen some of it, all or nothing. */
  resend(run: string): void;
  /** The same for every run; nothing is sent for `holdMs`, so that a new gateway can first say what it knows. */
  resendAll(holdMs: number): void;
  drop(run: string): void;
  /** Resolves when nothing waits any more. */
  empty(): Promise<void>;
}

interface Transcript {
  /** What the run said so far, texts joined. */
  text: string;
  rest: RunEvent[];
  pending: RunEvent[];
}

/** A person reads text this often as a steady stream. */
const flushMs = 30;
const retryMs = 200;
/** The protocol takes 1000. */
const batchEvents = 500;

export function makeOutbox(options: OutboxOptions): Outbox {
  const transcripts = new Map<string, Transcript>();
  let timer: NodeJS.Timeout | null = null;
  let isSending = false;
  let sentAt = Number.NEGATIVE_INFINITY;
  let heldUntil = 0;
  let waiters: (() => void)[] = [];

  function schedule(atLeastMs = 0): void {
    if (timer !== null || isSending) return;
    const now = performance.now();
    const wait = Math.max(atLeastMs, sentAt + flushMs - now, heldUntil - now, 0);
    timer = setTimeout(() => {
      timer = null;
      void send();
    }, wait);
  }

  async function send(): Promise<void> {
    isSending = true;
    let wasLost = false;
    await options.ready();
    for (const [run, transcript] of transcripts) {
      if (heldUntil > performance.now()) break;
      const batch = transcript.pending.splice(0, batchEvents);
      if (batch.length === 0) continue;
      sentAt = performance.now();
      try {
        const answer = await options.post(run, batch);
        if (answer === "unknown") options.onUnknown(run);
        if (answer === "unknown" || answer === "refused") transcripts.delete(run);
        const isDone = batch.at(-1)?.type === "done";
        if (isDone && transcript.pending.length === 0 && transcripts.get(run) === transcript) transcripts.delete(run);
      } catch {
        wasLost = true;
        if (transcripts.get(run) === transcript) transcript.pending = fromTheBeginning(transcript);
        break;
      }
    }
    isSending = false;
    if ([...transcripts.values()].some(({ pending }) => pending.length > 0)) schedule(wasLost ? retryMs : 0);
    else {
      for (const done of waiters) done();
      waiters = [];
    }
  }

  return {
    push(run, event) {
      const transcript = transcripts.get(run) ?? { text: "", rest: [], pending: [] };
      transcripts.set(run, transcript);
      if (event.type === "restart") Object.assign(transcript, { text: "", rest: [] });
      else if (event.type === "text") transcript.text += event.text;
      // What a tool is doing matters only while it does it, but for what influences the run; the rest is shown again.
      else if (event.type !== "tool" || event.publicSource !== undefined) transcript.rest.push(event);
      addPending(transcript.pending, event);
      schedule();
    },
    resend(run) {
      const transcript = transcripts.get(run);
      if (!transcript) return;
      transcript.pending = fromTheBeginning(transcript);
      schedule();
    },
    resendAll(holdMs) {
      heldUntil = performance.now() + holdMs;
      for (const transcript of transcripts.values()) transcript.pending = fromTheBeginning(transcript);
      if (transcripts.size > 0) schedule();
    },
    drop: (run) => void transcripts.delete(run),
    empty() {
      if ([...transcripts.values()].every(({ pending }) => pending.length === 0) && !isSending)
        return Promise.resolve();
      return new Promise((resolve) => waiters.push(resolve));
    },
  };
}

function fromTheBeginning(transcript: Transcript): RunEvent[] {
  const text: RunEvent[] = transcript.text === "" ? [] : [{ type: "text", text: transcript.text }];
  return [{ type: "restart", reason: "the connection was lost" }, ...text, ...transcript.rest];
}

/** Pieces of text that wait together go out as one. */
function addPending(pending: RunEvent[], event: RunEvent): void {
  const last = pending.at(-1);
  if (event.type === "text" && last?.type === "text")
    pending[pending.length - 1] = { type: "text", text: last.text + event.text };
  else pending.push(event);
}
