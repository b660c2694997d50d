/**
 * Request bodies that grow with their conversation: what was sent before is kept as bytes, and only what is new since is
 * translated and written behind it. A request so costs the same in a long conversation as in a short one.
 *
 * The list of messages is cut into segments, each of which begins with an answer that follows something said by others.
 * Every wire format writes a segment the same way whatever stands behind it. The last two are written anew each time:
 * marks and what ends a list stand there.
 */
import type { ModelMessage } from "./model.ts";
import { isSaid, type Turn, turnsOf } from "./turns.ts";

/** How a provider writes the list of messages. */
export interface WireList<State> {
  /** What the writer knows before the first message. */
  start(): State;
  /** Elements of the list with commas between them, none before the first. */
  write(turns: Turn[], state: State, isLast: boolean): { json: string; state: State };
  /** What of the head depends on the list. */
  variant?(state: State): string;
  /** The body up to the bracket that opens the list, or up to the end of elements that stand before all messages. */
  head(state: State): string;
}

export interface WireBodyOptions<State> extends WireList<State> {
  conversation: string;
  /** Everything that head and elements depend on besides the messages, compared as `===` does. */
  key: readonly unknown[];
  messages: readonly ModelMessage[];
}

export interface WireBody<State> {
  bytes: Buffer;
  state: State;
  /** Must be called when the request has ended: its bytes are written over by the next one's. */
  release(): void;
}

export interface WireBodies<State> {
  of(options: WireBodyOptions<State>): WireBody<State>;
}

/** Segments that can be taken back: a run's own turns come as other objects in the next run. */
const mostCheckpoints = 64;
const segmentsWrittenAnew = 2;
const mostConversations = 8;
const mostBytes = 4 * 1024 * 1024;
const ending = "]}";
const openBracket = 0x5b;

interface Checkpoint<State> {
  /** Messages before it. */
  count: number;
  /** Where its bytes end. */
  end: number;
  state: State;
}

interface Kept<State> {
  key: readonly unknown[];
  variant: string;
  headBytes: number;
  messages: readonly ModelMessage[];
  buffer: Buffer;
  /** The oldest first; never empty. */
  checkpoints: Checkpoint<State>[];
  isInUse: boolean;
}

export function makeWireBodies<State>(): WireBodies<State> {
  /** The least recently used first. */
  const known = new Map<string, Kept<State>>();

  function keep(conversation: string, kept: Kept<State>): void {
    known.delete(conversation);
    known.set(conversation, kept);
    let bytes = 0;
    for (const { buffer } of known.values()) bytes += buffer.length;
    for (const [oldest, { buffer }] of known) {
      if (known.size <= 1 || (known.size <= mostConversations && bytes <= mostBytes)) return;
      bytes -= buffer.length;
      known.delete(oldest);
    }
  }

  return {
    of(options) {
      const { conversation, key, messages } = options;
      const before = known.get(conversation);
      const same = before && !before.isInUse && isSame(before.key, key) ? before : null;
      const reused = same ? commonLength(same.messages, messages) : 0;
      const found = same?.checkpoints.findLastIndex(({ count }) => count <= reused) ?? -1;
      const checkpoints = same && found !== -1 ? same.checkpoints.slice(0, found + 1) : [];
      if (checkpoints.length === 0) checkpoints.push({ count: 0, end: 0, state: options.start() });
      let last = checkpoints[checkpoints.length - 1] as Checkpoint<State>;
      const cuts = cutsOf(messages, last.count);
      if (cuts === null && last.count > 0) {
        // A result came late: where it belongs was written without it.
        last = { count: 0, end: 0, state: options.start() };
        checkpoints.splice(0, Infinity, last);
      }
      const stable = (cuts ?? []).slice(0, -segmentsWrittenAnew);
      const pieces: string[] = [];
      const base = last;
      let { count, state } = last;
      const ends: Checkpoint<State>[] = [];
      for (const cut of stable) {
        const written = options.write(turnsOf(messages.slice(count, cut)), state, false);
        pieces.push(written.json);
        ({ state } = written);
        count = cut;
        ends.push({ count, end: 0, state });
      }
      const tail = options.write(tailTurns(messages, count, cuts), state, true);
      const variant = options.variant?.(tail.state) ?? "";
      const head = same && same.variant === variant ? null : Buffer.from(options.head(tail.state));
      const headBytes = head?.length ?? same?.headBytes ?? 0;
      const kept: Kept<State> = {
        key,
        variant,
        headBytes,
        messages,
        buffer: same?.buffer ?? Buffer.alloc(0),
        checkpoints,
        isInUse: true,
      };
      // Offsets of checkpoints count from the head's end.
      const writer = writerInto(kept, { head, listBytes: base.end, from: same });
      for (const [index, piece] of pieces.entries()) {
        writer.add(piece);
        const end = ends[index];
        if (end) checkpoints.push({ ...end, end: writer.position() });
      }
      if (checkpoints.length > mostCheckpoints) checkpoints.splice(0, checkpoints.length - mostCheckpoints);
      writer.add(tail.json);
      const bytes = writer.finish();
      keep(conversation, kept);
      return {
        bytes,
        state: tail.state,
        release() {
          kept.isInUse = false;
        },
      };
    },
  };
}

/** The head of a body whose list stands last. */
export function openList(body: object): string {
  return JSON.stringify(body).slice(0, -ending.length);
}

/** How both SDKs are given a body that is JSON already. */
export function jsonBody(bytes: Buffer) {
  return { body: bytes, headers: { "content-type": "application/json" }, stream: true as const };
}

/** The rest, each segment for itself, so that it reads the same as when it is written for good. */
function tailTurns(messages: readonly ModelMessage[], from: number, cuts: number[] | null): Turn[] {
  if (cuts === null) return turnsOf(messages);
  const inner = cuts.filter((cut) => cut > from);
  return [from, ...inner].flatMap((start, index) => turnsOf(messages.slice(start, inner[index] ?? messages.length)));
}

/**
 * Where segments begin, of those behind `from`, which is such a place itself. Null where a result stands behind another
 * turn than its call's: then what was written depends on what comes after it.
 */
function cutsOf(messages: readonly ModelMessage[], from: number): number[] | null {
  const cuts: number[] = [];
  let calls = new Set<string>();
  let before: ModelMessage["role"] | null = null;
  for (let index = from; index < messages.length; index++) {
    const message = messages[index];
    if (message === undefined) continue;
    if (message.role === "tool" && !calls.has(message.call)) return null;
    if (message.role === "assistant") {
      if (!isSaid(message)) continue;
      if (index > from && (before === "user" || before === "tool")) {
        cuts.push(index);
        calls = new Set();
      }
      for (const { call } of message.calls) calls.add(call);
    }
    before = message.role;
  }
  return cuts;
}

function writerInto<State>(
  kept: Kept<State>,
  { head, listBytes, from }: { head: Buffer | null; listBytes: number; from: Kept<State> | null },
) {
  let length = kept.headBytes + listBytes;
  const grow = (needed: number): void => {
    if (kept.buffer.length >= needed) return;
    const bigger = Buffer.allocUnsafeSlow(Math.ceil((needed * 1.25 + 16_384) / 4096) * 4096);
    kept.buffer.copy(bigger, 0, 0, length);
    kept.buffer = bigger;
  };
  if (head !== null) {
    const old = from ? from.buffer.subarray(from.headBytes, from.headBytes + listBytes) : null;
    const moved = Buffer.allocUnsafeSlow(Math.ceil(((length + 16_384) * 1.25) / 4096) * 4096);
    head.copy(moved);
    old?.copy(moved, head.length);
    kept.buffer = moved;
  }
  const put = (text: string): void => {
    const size = Buffer.byteLength(text);
    grow(length + size);
    kept.buffer.write(text, length);
    length += size;
  };
  return {
    add(json: string): void {
      if (json === "") return;
      const isFirst = length === kept.headBytes && kept.buffer[length - 1] === openBracket;
      put(isFirst ? json : `,${json}`);
    },
    position: () => length - kept.headBytes,
    finish(): Buffer {
      put(ending);
      return kept.buffer.subarray(0, length);
    },
  };
}

function isSame(before: readonly unknown[], now: readonly unknown[]): boolean {
  return before.length === now.length && before.every((value, index) => value === now[index]);
}

function commonLength(before: readonly ModelMessage[], now: readonly ModelMessage[]): number {
  const most = Math.min(before.length, now.length);
  let length = 0;
  while (length < most && before[length] === now[length]) length++;
  return length;
}
