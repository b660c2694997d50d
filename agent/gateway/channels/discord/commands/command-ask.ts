/**
 * A command that changes something is a message of the person who gave it: shown in the channel, stored in the inbox
 * of its conversation, and answered by an ordinary run. Every step may be repeated.
 */
import type { Store } from "../../../../../tools/store.ts";
import type { Inbox, Message } from "../../../inbox.ts";
import { type Actor, authorOf } from "../../../maintainers.ts";
import { code, plain } from "../cards/card-text.ts";
import type { Place } from "../contract.ts";
import { conversationIn } from "../listen/conversation.ts";
import type { Poster } from "../speak/post.ts";

export interface AskOptions {
  store: Store;
  inbox: Inbox;
  poster: Pick<Poster, "show">;
  speaker: {
    expect(options: { message: string; conversation: string; place: Place }): Promise<void>;
    follow(options: { message: string; conversation: string; place: Place }): void;
  };
  /** This instance's. */
  name: string;
  /** Something is to do. */
  wake(): void;
}

export type Asked = { state: "asked"; conversation: string } | { state: "refused"; reason: string };

export type Ask = (request: { interaction: string; channel: string; actor: Actor; sentence: string }) => Promise<Asked>;

/** The inbox's name for messages from Discord. */
const inboxChannel = "discord";

export function createAsk(options: AskOptions): Ask {
  const { store, inbox, poster, speaker, name } = options;

  return async ({ interaction, channel, actor, sentence }) => {
    // The bot's own message stands for what was asked: it is answered to, and its id is the message's.
    const content = `**${plain(actor.maintainer.name, 100)}** asks: ${code(sentence, 400)}`;
    const key = `asked-${interaction}`;
    const shown = await poster.show(channel, () => [{ key, channel, replyTo: null, content }]);
    if (shown?.state !== "shown") {
      return { state: "refused", reason: shown?.state === "refused" ? shown.reason : "it could not be shown here" };
    }
    const id = shown.message;
    const conversation = await conversationIn(inbox, { channel, name });
    const place: Place = { channel, replyTo: id };
    const message: Message = {
      formatVersion: 1,
      id,
      kind: "chat",
      to: name,
      channel: inboxChannel,
      conversation,
      author: authorOf(actor),
      text: sentence,
      ...(await sourcesOf(store, conversation)),
      createdAt: await store.now(),
    };
    await speaker.expect({ message: id, conversation, place });
    await inbox.submit(message);
    speaker.follow({ message: id, conversation, place });
    options.wake();
    return { state: "asked", conversation };
  };
}

/** Public text that the conversation has been told earlier is still in it. */
async function sourcesOf(store: Store, conversation: string): Promise<{ publicSources?: string[] }> {
  const record = (await store.get(`discord/sources/${conversation}`))?.value as { sources?: string[] } | undefined;
  return record?.sources?.length ? { publicSources: record.sources } : {};
}
