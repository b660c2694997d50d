/** Asks the rule for a picture and posts it: stored first, then shown, at most one below each message. */
import type { Mood, Occasion } from "../../tools/picture-occasions.ts";
import { pictures } from "../pictures/catalogue.ts";
import { choosePicture, type PictureMode, type PictureRefusal } from "../pictures.ts";
import type { ConversationEntry, RunEvent } from "../protocol.ts";
import type { OpenedConversation } from "./conversation-pool.ts";

export interface PictureRequest {
  occasion: Occasion | null;
  mood: Mood | null;
  /** Only a picture that fits a moment which is no joke. */
  isSerious?: boolean;
}

export type PostPicture = (request: PictureRequest) => Promise<{ picture: string; alt: string } | { refused: string }>;

const refusals: Record<PictureRefusal, string> = {
  off: "pictures are off in the configuration (`pictures.mode`)",
  unwanted: "somebody asked for none in this conversation",
  serious: "this is no moment for one",
  too_soon: "the last one was not long ago",
  enough_today: "there were enough of them today",
  flood: "that were many within a few minutes; ask again later",
  no_match: "there is none for this that was not shown lately",
};

export function picturePoster(options: {
  conversation: OpenedConversation;
  message: string;
  mode: PictureMode;
  append(body: ConversationEntry["body"]): Promise<void>;
  emit(event: RunEvent): void;
}): PostPicture {
  const { conversation, message, mode, append, emit } = options;
  return async ({ occasion, mood, isSerious = false }) => {
    const posted = conversation.history.stored(message).pictures[0];
    // Shown by whoever began this message, or by an earlier call of this run.
    if (posted) return { picture: posted.picture, alt: posted.alt };
    const { entries } = conversation;
    // The time at which the message was stored, so that a run that is made again decides alike.
    const at = entries.find((entry) => entry.message === message)?.at ?? 0;
    const choice = choosePicture({
      entries,
      mode,
      pictures: pictures(),
      wish: { message, occasion, mood, at, isSerious },
    });
    if ("none" in choice) return { refused: refusals[choice.none] };
    const { id: picture, alt } = choice.picture;
    await append({ role: "picture", picture, alt });
    emit({ type: "picture", picture, alt });
    return { picture, alt };
  };
}
