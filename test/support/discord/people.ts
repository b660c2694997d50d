/** What people do in Discord, as far as a bot can notice it. */
import type { Gateway } from "./gateway.ts";
import { intentBits } from "./gateway-session.ts";
import type { Interaction, Interactions } from "./interactions.ts";
import type { Messages } from "./messages.ts";
import { directChannel } from "./route-lookups.ts";
import { channelOf, memberOf, userOf } from "./wire.ts";
import { type Channel, isThread, type Json, type Message, newChannel, type User, type World } from "./world.ts";

/** The value of a command's option; an object is a subcommand with its options. */
export type CommandOptions = { [name: string]: string | number | boolean | CommandOptions };

export interface People {
  /** `@Name` in the text becomes a mention. */
  say(
    user: string,
    channel: string,
    text: string,
    more?: {
      reply?: Message;
      /** A reply pings whom it answers unless told not to. */
      isPing?: boolean;
      attachments?: { filename: string; bytes: Buffer; type?: string }[];
      /** As a webhook of this name would post it. */
      webhook?: string;
    },
  ): Message;
  /** In private. */
  tell(user: string, bot: string, text: string): Message;
  editMessage(message: Message, text: string): void;
  deleteMessage(message: Message): void;
  /** Presses the button with this label or custom id. Throws when the message has none such that can be pressed. */
  press(user: string, message: Message, button: string, more?: { replayed?: Interaction }): Interaction;
  /** Sends a custom id that no message need have; what a forged client could do. */
  forge(user: string, message: Message, customId: string): Interaction;
  command(user: string, name: string, options?: CommandOptions, more?: { channel?: string; bot?: string }): Interaction;
  /** `focused` is the name of the option that is being typed. */
  autocomplete(
    user: string,
    name: string,
    options: CommandOptions,
    focused: string,
    more?: { channel?: string; bot?: string },
  ): Interaction;
  /** Submits the modal that answered an interaction. */
  modal(user: string, opened: Interaction, values: Record<string, string>): Interaction;
  thread(channel: string, name: string, from?: Message): Channel;
  giveRole(user: string, role: string): void;
  takeRole(user: string, role: string): void;
  leaveGuild(user: string): void;
  channelChanged(channel: Channel): void;
  channelDeleted(channel: Channel): void;
}

export function makePeople(parts: {
  world: World;
  gateway: Gateway;
  messages: Messages;
  interactions: Interactions;
  user(name: string): User;
  channel(name: string): Channel;
}): People {
  const { world, gateway, messages, interactions, user, channel } = parts;
  const firstChannel = (): Channel =>
    [...world.channels.values()].find(({ type, isDeleted }) => type === 0 && !isDeleted)!;
  const firstBot = (): User => [...world.users.values()].find(({ isBot, token }) => isBot && token !== "")!;

  const withMentions = (text: string): string =>
    text.replace(/@([\w-]+)/g, (whole, name: string) => {
      const found = [...world.users.values()].find((one) => one.name.toLowerCase() === name.toLowerCase());
      return found ? `<@${found.id}>` : whole;
    });

  function pressed(name: string, message: Message, customId: string, more: { id?: string } = {}): Interaction {
    return interactions.begin({
      kind: "button",
      bot: message.author,
      user: user(name).id,
      channel: world.channels.get(message.channel)!,
      data: { custom_id: customId, component_type: 2, id: 2 },
      on: message,
      ...more,
    });
  }

  function commandData(bot: User, guild: string, name: string, options: CommandOptions, focused?: string): Json {
    const known = world.guilds
      .get(guild)
      ?.commands.get(bot.id)
      ?.find((one) => one.name === name);
    if (!known)
      throw new Error(
        `${bot.name} has no command /${name}; it has ${world.guilds
          .get(guild)
          ?.commands.get(bot.id)
          ?.map((one) => one.name)}`,
      );
    const fill = (given: CommandOptions, specified: Json[]): Json[] =>
      Object.entries(given).map(([key, value]) => {
        const option = specified.find((one) => one.name === key);
        if (!option) throw new Error(`/${name} has no option ${key}`);
        if (typeof value === "object")
          return { name: key, type: option.type, options: fill(value, (option.options ?? []) as Json[]) };
        return { name: key, type: option.type, value, ...(key === focused ? { focused: true } : {}) };
      });
    return {
      id: known.id,
      name,
      type: 1,
      guild_id: guild,
      options: fill(options, (known.options ?? []) as Json[]),
    };
  }

  const membersEvent = (name: string, change: (roles: Set<string>, role: string) => void, role: string): void => {
    const { id } = user(name);
    for (const guild of world.guilds.values()) {
      const roles = guild.members.get(id);
      const found = [...guild.roles.values()].find((one) => one.id === role || one.name === role);
      if (!roles || !found) continue;
      change(roles, found.id);
      for (const bot of world.users.values())
        if (bot.isBot)
          gateway.dispatchToBot(bot.id, "GUILD_MEMBER_UPDATE", { guild_id: guild.id, ...memberOf(world, guild, id) });
    }
  };

  const people: People = {
    say(name, where, text, more = {}) {
      const author = user(name);
      const { reply, isPing = true, webhook } = more;
      return messages.create({
        channel: channel(where),
        author: author.id,
        draft: {
          content: withMentions(text),
          ...(reply ? { message_reference: { message_id: reply.id } } : {}),
          allowed_mentions: { parse: ["users", "roles", "everyone"], replied_user: isPing },
        },
        uploads: (more.attachments ?? []).map(({ filename, bytes, type = "text/plain" }, index) => ({
          field: `files[${index}]`,
          filename,
          type,
          bytes,
        })),
        ...(webhook ? { webhook: { id: world.snowflake(), name: webhook } } : {}),
      });
    },

    tell(name, bot, text) {
      const private_ = directChannel(world, user(name).id, user(bot).id);
      return messages.create({ channel: private_, author: user(name).id, draft: { content: withMentions(text) } });
    },

    editMessage: (message, text) => void messages.edit(message, { content: withMentions(text) }),
    deleteMessage: (message) => messages.remove(message),

    press(name, message, button, more = {}) {
      const all = message.components.flatMap((row) => (row.components ?? []) as Json[]);
      const found = all.find(
        (one) => one.label === button || one.custom_id === button || String(one.label).startsWith(button),
      );
      if (!found || found.disabled)
        throw new Error(`"${message.content}" has no button ${button} to press; it has ${JSON.stringify(all)}`);
      return pressed(name, message, String(found.custom_id), more.replayed ? { id: more.replayed.id } : {});
    },

    forge: (name, message, customId) => pressed(name, message, customId),

    command(name, command, options = {}, more = {}) {
      const where = more.channel ? channel(more.channel) : firstChannel();
      const bot = more.bot ? user(more.bot) : firstBot();
      return interactions.begin({
        kind: "command",
        bot: bot.id,
        user: user(name).id,
        channel: where,
        data: commandData(bot, where.guild ?? "", command, options),
        name: command,
      });
    },

    autocomplete(name, command, options, focused, more = {}) {
      const where = more.channel ? channel(more.channel) : firstChannel();
      const bot = more.bot ? user(more.bot) : firstBot();
      return interactions.begin({
        kind: "autocomplete",
        bot: bot.id,
        user: user(name).id,
        channel: where,
        data: commandData(bot, where.guild ?? "", command, options, focused),
        name: command,
      });
    },

    modal(name, opened, values) {
      const answer = opened.answer();
      if (answer?.type !== 9) throw new Error("that interaction was not answered with a modal");
      const rows = (answer.data?.components ?? []) as { type: number; components?: Json[]; component?: Json }[];
      const value = (one: Json): Json => ({
        type: one.type,
        id: one.id ?? 1,
        custom_id: one.custom_id,
        value: values[String(one.custom_id)] ?? one.value ?? "",
      });
      const on = opened.replies().at(-1);
      return interactions.begin({
        kind: "modal",
        bot: (opened as Interaction & { bot: string }).bot,
        user: user(name).id,
        channel: world.channels.get(opened.channel)!,
        data: {
          custom_id: answer.data?.custom_id,
          components: rows.map((row, index) =>
            row.component
              ? { type: row.type, id: index + 1, component: value(row.component) }
              : { type: 1, id: index + 1, components: (row.components ?? []).map(value) },
          ),
        },
        ...((opened as Interaction & { on: Message | null }).on
          ? { on: (opened as Interaction & { on: Message }).on }
          : on
            ? { on }
            : {}),
      });
    },

    thread(where, name, from) {
      const parent = channel(where);
      const thread = newChannel({
        id: from ? from.id : world.snowflake(),
        guild: parent.guild,
        name,
        type: 11,
        parent: parent.id,
        owner: from?.author ?? [...world.users.keys()][0]!,
      });
      world.channels.set(thread.id, thread);
      if (from) from.thread = thread.id;
      gateway.dispatchIn(thread, {
        type: "THREAD_CREATE",
        guildIntent: intentBits.guilds,
        data: () => ({ ...channelOf(world, thread), newly_created: true }),
      });
      return thread;
    },

    giveRole: (name, role) => membersEvent(name, (roles, id) => roles.add(id), role),
    takeRole: (name, role) => membersEvent(name, (roles, id) => roles.delete(id), role),

    leaveGuild(name) {
      const { id } = user(name);
      for (const guild of world.guilds.values()) {
        if (!guild.members.delete(id)) continue;
        for (const bot of world.users.values())
          if (bot.isBot)
            gateway.dispatchToBot(bot.id, "GUILD_MEMBER_REMOVE", { guild_id: guild.id, user: userOf(user(name)) });
      }
    },

    channelChanged(one) {
      const type = isThread(one) ? "THREAD_UPDATE" : "CHANNEL_UPDATE";
      for (const bot of world.guilds.get(one.guild ?? "")?.members.keys() ?? [])
        if (world.users.get(bot)?.isBot) gateway.dispatchToBot(bot, type, channelOf(world, one));
    },

    channelDeleted(one) {
      gateway.dispatchIn(one, {
        type: isThread(one) ? "THREAD_DELETE" : "CHANNEL_DELETE",
        guildIntent: intentBits.guilds,
        data: () => channelOf(world, one),
      });
      one.isDeleted = true;
    },
  };
  return people;
}
