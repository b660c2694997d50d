/** Operations that were asked for in Discord: each is one message there, from its beginning to its end. */
import type { OperationView } from "../../../../protocol.ts";
import type { Inbox } from "../../../inbox.ts";
import type { Place } from "../contract.ts";
import type { Poster, Shown } from "./post.ts";
import { progressText } from "./speak-progress.ts";
import { type Sayer, sayingKey } from "./speak-say.ts";

/** Ends that were told by this process; a late word of an operation must not take the picture away again. */
const mostEnds = 500;

export interface Teller {
  /** Shows how an operation is doing. Never throws. */
  tell(operation: OperationView): Promise<void>;
  /**
   * For the notice of an operation's end: tells it in the operation's own message. Null where it has none, or somebody
   * deleted it; then the notice is a message of its own.
   */
  tellEnd(message: string, picture: string | undefined): Promise<Shown | null>;
}

export function createTeller(options: {
  inbox: Pick<Inbox, "ownerOf">;
  operations(): Promise<OperationView[]>;
  poster: Pick<Poster, "records">;
  sayer: Sayer;
  name: string;
  placeOf(conversation: string): Place | null;
  warn(message: string, error: unknown): void;
  signal: AbortSignal;
}): Teller {
  const { poster, sayer, signal } = options;
  const { records } = poster;
  const ended = new Set<string>();

  /** Null for what was asked for elsewhere, or belongs to another name. */
  const placeOf = async ({ conversation }: OperationView): Promise<Place | null> => {
    const place = conversation === null ? null : options.placeOf(conversation);
    return place && (await options.inbox.ownerOf(conversation ?? "")) === options.name ? place : null;
  };

  const show = async (operation: OperationView): Promise<void> => {
    const place = await placeOf(operation);
    if (!place) return;
    const key = keyOf(operation.id);
    const record = await records.read(sayingKey(key));
    if (record?.isComplete) return;
    // Told as a notice before this process knew of the operation.
    if (!record && operation.endedAt !== null && (await records.read(noticeKey(operation.id)))?.isComplete) return;
    if (signal.aborted || ended.has(operation.id)) return;
    await sayer.say({ key, place, text: progressText(operation) });
  };

  return {
    async tell(operation) {
      if (signal.aborted || ended.has(operation.id)) return;
      await show(operation).catch((error: unknown) => {
        if (!signal.aborted) options.warn("the progress of an operation was not shown", error);
      });
    },

    async tellEnd(message, picture) {
      const id = /^notice-(.+)$/.exec(message)?.[1];
      const operation = id === undefined ? undefined : (await options.operations()).find((one) => one.id === id);
      if (!operation || operation.endedAt === null) return null;
      const place = await placeOf(operation);
      if (!place) return null;
      const key = keyOf(operation.id);
      const record = await records.read(sayingKey(key));
      if (record?.isComplete && record.message !== null) return { state: "shown", message: record.message };
      if (record?.isGone) return null;
      if (ended.size >= mostEnds) ended.clear();
      ended.add(operation.id);
      const text = progressText(operation);
      const shown = await sayer.say({ key, place, text, ...(picture === undefined ? {} : { picture }) });
      if (shown?.state === "shown") await records.change(sayingKey(key), { isComplete: true });
      return shown?.state === "gone" ? null : shown;
    },
  };
}

function keyOf(operation: string): string {
  return `operation-${operation}`;
}

/** Of the first message of the notice that tells of an operation's end. */
function noticeKey(operation: string): string {
  return `notice-${operation}.0`;
}
