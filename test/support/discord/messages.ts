/** Making, changing and reading messages, for bots (by REST) and people (by the test) alike. */
import { checkMessage } from "./bodies.ts";
import type { Gateway } from "./gateway.ts";
import { intentBits } from "./gateway-session.ts";
import { may } from "./permissions.ts";
import { invalid, Problem } from "./problem.ts";
import type { Upload } from "./request-body.ts";
import type { Attachment, Channel, Json, Message, World } from "./world.ts";

export const ephemeralFlag = 1 << 6;
/** What a bot may set: suppress embeds, suppress notifications, and ephemeral for answers to interactions. */
const settableFlags = (1 << 2) | (1 << 12) | ephemeralFlag;

export interface Draft {
  content?: string | null;
  embeds?: Json[] | null;
  components?: Json[] | null;
  allowed_mentions?: { parse?: string[]; users?: string[]; roles?: string[]; replied_user?: boolean } | null;
  attachments?: Json[] | null;
  flags?: number | null;
  nonce?: string | number;
  message_reference?: { message_id: string; channel_id?: string; fail_if_not_exists?: boolean } | null;
}

export type Messages = ReturnType<typeof makeMessages>;

export function makeMessages(world: World, gateway: Gateway) {
  function attachments(channel: Channel, listed: Json[], uploads: Upload[]): Attachment[] {
    return uploads.map((upload, index) => {
      const id = world.snowflake();
      const given = listed.find((one) => `files[${one.id}]` === upload.field);
      const filename = String(given?.filename ?? upload.filename ?? `file${index}`).replace(/[^\w.-]/g, "_");
      const path = `/attachments/${channel.id}/${id}/${filename}`;
      world.files.set(path, { bytes: upload.bytes, type: upload.type });
      return {
        id,
        filename,
        size: upload.bytes.length,
        url: `${world.origin}${path}`,
        proxy_url: `${world.origin}${path}`,
        content_type: upload.type,
        ...(given?.description ? { description: given.description } : {}),
      };
    });
  }

  /** Whom a text names, as far as it is allowed to. */
  function mentionsOf(channel: Channel, content: string, allowed: Draft["allowed_mentions"], repliedTo: string | null) {
    const parse = allowed ? (allowed.parse ?? []) : ["users", "roles", "everyone"];
    const users = [...content.matchAll(/<@!?(\d+)>/g)].map((one) => one[1]!).filter((id) => world.users.has(id));
    const roles = [...content.matchAll(/<@&(\d+)>/g)].map((one) => one[1]!);
    const guild = world.guilds.get(channel.guild ?? "");
    const named = users.filter((id) => parse.includes("users") || allowed?.users?.includes(id));
    const replied = repliedTo !== null && (allowed ? allowed.replied_user === true : true) ? [repliedTo] : [];
    return {
      mentions: [...new Set([...named, ...replied])].filter((id) => world.users.has(id)),
      mentionRoles: roles.filter(
        (id) => guild?.roles.has(id) && (parse.includes("roles") || allowed?.roles?.includes(id)),
      ),
      mentionsEveryone: parse.includes("everyone") && /@(everyone|here)\b/.test(content),
    };
  }

  return {
    /** Throws what Discord would answer. Permissions to be there at all are the caller's. */
    create(options: {
      channel: Channel;
      author: string;
      draft: Draft;
      uploads?: Upload[];
      interaction?: Message["interaction"];
      application?: string | null;
      onlyFor?: string | null;
      webhook?: Message["webhook"];
      isPlaceholder?: boolean;
    }): Message {
      const { channel, author, draft, uploads = [], interaction = null, onlyFor = null } = options;
      checkMessage(draft);
      const content = (draft.content ?? "").trim();
      const isEmpty = content === "" && !draft.embeds?.length && !draft.components?.length && uploads.length === 0;
      if (isEmpty && !options.isPlaceholder) throw new Problem("emptyMessage");
      if (draft.flags && draft.flags & ~settableFlags)
        throw invalid(["flags"], "MESSAGE_FLAGS_INVALID", "A flag cannot be set");
      const reference = draft.message_reference ?? null;
      const answered = reference === null ? undefined : channel.messages.get(reference.message_id);
      if (reference !== null && !answered && reference.fail_if_not_exists !== false)
        throw invalid(["message_reference"], "REPLIES_UNKNOWN_MESSAGE", "Unknown message");
      const mentions = mentionsOf(channel, content, draft.allowed_mentions, answered?.author ?? null);
      if (mentions.mentionsEveryone && !may({ world, channel, user: author, permission: "MENTION_EVERYONE" }))
        mentions.mentionsEveryone = false;
      const message: Message = {
        id: world.snowflake(),
        channel: channel.id,
        guild: channel.guild,
        author,
        webhook: options.webhook ?? null,
        content,
        at: world.now(),
        editedAt: null,
        nonce: draft.nonce ?? null,
        embeds: (draft.embeds ?? []).map((one) => ({ type: "rich", ...one })),
        components: numbered(draft.components ?? []),
        attachments: attachments(channel, draft.attachments ?? [], uploads),
        ...mentions,
        reference: answered ? answered.id : null,
        flags: draft.flags ?? 0,
        type: answered ? 19 : interaction?.type === 2 ? 20 : 0,
        reactions: new Map(),
        interaction,
        onlyFor,
        application: options.application ?? null,
        thread: null,
        history: [content],
      };
      if (channel.archived) channel.archived = false;
      if (onlyFor === null) {
        channel.messages.set(message.id, message);
        if (!options.isPlaceholder || interaction) gateway.message("MESSAGE_CREATE", message);
      }
      return message;
    },

    edit(message: Message, draft: Draft, uploads: Upload[] = []): Message {
      checkMessage(draft);
      const channel = world.channels.get(message.channel)!;
      const content = draft.content === undefined ? message.content : (draft.content ?? "").trim();
      const embeds =
        draft.embeds === undefined ? message.embeds : (draft.embeds ?? []).map((one) => ({ type: "rich", ...one }));
      const components = draft.components === undefined ? message.components : numbered(draft.components ?? []);
      const kept =
        draft.attachments === undefined
          ? message.attachments
          : message.attachments.filter(({ id }) => draft.attachments?.some((one) => String(one.id) === id));
      const files = [...kept, ...attachments(channel, draft.attachments ?? [], uploads)];
      if (content === "" && embeds.length === 0 && components.length === 0 && files.length === 0)
        throw new Problem("emptyMessage");
      if (draft.content !== undefined)
        Object.assign(message, mentionsOf(channel, content, draft.allowed_mentions, null), { content });
      // An answer that was promised becomes a message by its first edit.
      message.flags = (draft.flags ?? message.flags) & ~(1 << 7);
      Object.assign(message, { embeds, components, attachments: files, editedAt: world.now() });
      if (message.history.at(-1) !== content) message.history.push(content);
      if (message.onlyFor === null) gateway.message("MESSAGE_UPDATE", message);
      return message;
    },

    remove(message: Message): void {
      const channel = world.channels.get(message.channel)!;
      channel.messages.delete(message.id);
      if (message.onlyFor !== null) return;
      gateway.dispatchIn(channel, {
        type: "MESSAGE_DELETE",
        guildIntent: intentBits.guildMessages,
        directIntent: intentBits.directMessages,
        data: () => ({
          id: message.id,
          channel_id: channel.id,
          ...(channel.guild === null ? {} : { guild_id: channel.guild }),
        }),
      });
    },

    /** Newest first, as Discord lists them. */
    list(channel: Channel, options: { before?: string; after?: string; around?: string; limit: number }): Message[] {
      const all = [...channel.messages.values()].sort((a, b) => (BigInt(a.id) < BigInt(b.id) ? 1 : -1));
      const { before, after, around, limit } = options;
      if (before) return all.filter(({ id }) => BigInt(id) < BigInt(before)).slice(0, limit);
      if (after) return all.filter(({ id }) => BigInt(id) > BigInt(after)).slice(-limit);
      if (around) {
        const half = Math.floor(limit / 2);
        const newer = all.filter(({ id }) => BigInt(id) > BigInt(around)).slice(-half);
        return [...newer, ...all.filter(({ id }) => BigInt(id) <= BigInt(around)).slice(0, limit - half)];
      }
      return all.slice(0, limit);
    },
  };
}

/** Discord gives each component a number of its own. */
function numbered(components: Json[]): Json[] {
  let next = 0;
  return components.map((row) => {
    next += 1;
    const id = row.id ?? next;
    return {
      ...row,
      id,
      components: ((row.components ?? []) as Json[]).map((one) => {
        next += 1;
        return { id: next, ...one };
      }),
    };
  });
}
