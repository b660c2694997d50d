/** One writer for each conversation in this process, however many parts of it write there. */
import { type ConversationPlace, type ConversationWriter, openConversation } from "../conversations.ts";

export type OpenConversation = (place: ConversationPlace & { epoch: number }) => Promise<ConversationWriter>;

/** Like `openConversation`, but shared; the file is closed when the last one who opened it closes it. */
export function makeConversationPool(open: OpenConversation = openConversation): OpenConversation {
  const shared = new Map<string, { writer: Promise<ConversationWriter>; users: number }>();
  return async (place) => {
    const key = `${place.conversation}/${place.epoch}`;
    const entry = shared.get(key) ?? { writer: open(place), users: 0 };
    shared.set(key, entry);
    entry.users += 1;
    const leave = () => {
      entry.users -= 1;
      if (entry.users === 0 && shared.get(key) === entry) shared.delete(key);
      return entry.users === 0;
    };
    let writer: ConversationWriter;
    try {
      writer = await entry.writer;
    } catch (error) {
      leave();
      throw error;
    }
    return {
      entries: writer.entries,
      append: (stored) => writer.append(stored),
      close: async () => {
        if (leave()) await writer.close();
      },
    };
  };
}
