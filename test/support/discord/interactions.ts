/** Interactions: a person presses, commands or types; the application has three seconds to answer, then 15 minutes. */
import { randomUUID } from "node:crypto";
import { callbackSchema, editMessageSchema, followUpSchema, parse } from "./bodies.ts";
import type { Gateway } from "./gateway.ts";
import type { Draft, Messages } from "./messages.ts";
import { ephemeralFlag } from "./messages.ts";
import { permissionsIn } from "./permissions.ts";
import { invalid, Problem } from "./problem.ts";
import type { Call, Route } from "./routes.ts";
import { channelOf, memberOf, messageOf, userOf } from "./wire.ts";
import type { Channel, Json, Message, World } from "./world.ts";

/** Time for the first answer, and life of the token. */
const answerMs = 3_000;
const tokenMs = 15 * 60_000;

const kinds = { command: 2, button: 3, autocomplete: 4, modal: 5 } as const;

export interface Interaction {
  id: string;
  token: string;
  kind: keyof typeof kinds;
  user: string;
  channel: string;
  /** Milliseconds of `performance.now()` when it was sent. */
  begunAt: number;
  /** Milliseconds from then to the first answer; null without one so far. */
  answeredMs(): number | null;
  /** The first answer as it was sent, or null. */
  answer(): { type: number; data?: Json } | null;
  /** Messages that belong to it, ephemeral ones too, oldest first. */
  replies(): Message[];
  /** True once three seconds went by without an answer, or when nobody was connected. */
  hasFailed(): boolean;
  /** Waits for the first answer or for the failure. */
  settled(): Promise<void>;
}

interface Record extends Interaction {
  bot: string;
  /** The button's message. */
  on: Message | null;
  name: string | null;
  callback: { type: number; data?: Json } | null;
  answeredAt: number | null;
  original: Message | null;
  all: Message[];
  wasHeard: boolean;
  wake(): void;
}

export type Interactions = ReturnType<typeof makeInteractions>;

export function makeInteractions(world: World, gateway: Gateway, messages: Messages) {
  const records = new Map<string, Record>();
  const byToken = new Map<string, Record>();

  function begin(options: {
    kind: Interaction["kind"];
    bot: string;
    user: string;
    channel: Channel;
    data: Json;
    on?: Message;
    name?: string;
    id?: string;
  }): Interaction {
    const { kind, bot, user, channel, data, on = null, name = null } = options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const begunAt = performance.now();
    const record: Record = {
      id: options.id ?? world.snowflake(),
      token: Buffer.from(`interaction:${randomUUID()}`).toString("base64url"),
      kind,
      bot,
      user,
      channel: channel.id,
      on,
      name,
      begunAt,
      callback: null,
      answeredAt: null,
      original: null,
      all: [],
      wasHeard: false,
      wake: resolve,
      answeredMs: () => (record.answeredAt === null ? null : record.answeredAt - begunAt),
      answer: () => record.callback,
      replies: () => record.all,
      hasFailed: () => record.callback === null && (!record.wasHeard || performance.now() - begunAt > answerMs),
      settled: () => promise,
    };
    records.set(record.id, record);
    byToken.set(record.token, record);
    const guild = channel.guild === null ? null : world.guilds.get(channel.guild)!;
    const permissions = guild ? permissionsIn({ world, guild, channel, user }) : 0n;
    const heard = gateway.dispatchToBot(bot, "INTERACTION_CREATE", {
      id: record.id,
      application_id: bot,
      type: kinds[kind],
      token: record.token,
      version: 1,
      data,
      channel_id: channel.id,
      channel: { ...channelOf(world, channel), permissions: String(permissions) },
      ...(guild
        ? {
            guild_id: guild.id,
            guild: { id: guild.id, locale: "en-US", features: [] },
            guild_locale: "en-US",
            member: { ...memberOf(world, guild, user), permissions: String(permissions) },
          }
        : { user: userOf(world.users.get(user)!) }),
      ...(on ? { message: messageOf(world, on) } : {}),
      locale: "en-US",
      app_permissions: guild ? String(permissionsIn({ world, guild, channel, user: bot })) : "0",
      entitlements: [],
      authorizing_integration_owners: { 0: channel.guild ?? "0" },
      context: guild ? 0 : 1,
      attachment_size_limit: 10_485_760,
    });
    record.wasHeard = heard > 0;
    if (heard === 0) resolve();
    else setTimeout(resolve, answerMs).unref();
    return record;
  }

  function live(call: Call): Record {
    const record = byToken.get(call.path.token ?? "");
    if (!record) throw new Problem(call.path.interaction ? "unknownInteraction" : "unknownWebhook");
    const ageMs = performance.now() - record.begunAt;
    if (ageMs > tokenMs) throw new Problem("invalidWebhookToken");
    return record;
  }

  function post(
    record: Record,
    draft: Draft,
    more: { uploads?: Call["files"]; isPlaceholder?: boolean; flags?: number },
  ) {
    const flags = more.flags ?? draft.flags ?? 0;
    const message = messages.create({
      channel: world.channels.get(record.channel)!,
      author: record.bot,
      draft: { ...draft, flags: flags & ~(1 << 7) },
      uploads: more.uploads ?? [],
      isPlaceholder: more.isPlaceholder ?? false,
      interaction: { id: record.id, name: record.name, type: kinds[record.kind], user: record.user },
      application: record.bot,
      onlyFor: flags & ephemeralFlag ? record.user : null,
    });
    if (more.isPlaceholder) message.flags |= 1 << 7;
    record.all.push(message);
    return message;
  }

  function respond(call: Call): unknown {
    const record = records.get(call.path.interaction ?? "");
    if (!record || record.token !== call.path.token) throw new Problem("unknownInteraction");
    if (record.callback) throw new Problem("alreadyAcknowledged");
    if (performance.now() - record.begunAt > answerMs) throw new Problem("unknownInteraction");
    const callback = parse(callbackSchema, call.json);
    const isFromMessage = record.on !== null;
    if ((callback.type === 6 || callback.type === 7) && !isFromMessage)
      throw invalid(["type"], "INTERACTION_TYPE_INVALID", "Only a component's message can be updated");
    if ((callback.type === 8) !== (record.kind === "autocomplete"))
      throw invalid(["type"], "INTERACTION_TYPE_INVALID", "Choices answer an autocomplete, and nothing else does");
    if (callback.type === 9 && record.kind === "modal")
      throw invalid(["type"], "INTERACTION_TYPE_INVALID", "A modal cannot answer a modal");
    if (callback.type === 4) record.original = post(record, callback.data as Draft, { uploads: call.files });
    if (callback.type === 5)
      record.original = post(record, {}, { isPlaceholder: true, flags: callback.data?.flags ?? 0 });
    if (callback.type === 6) record.original = record.on;
    if (callback.type === 7) record.original = messages.edit(record.on!, (callback.data ?? {}) as Draft, call.files);
    record.callback = callback as { type: number; data?: Json };
    record.answeredAt = performance.now();
    record.wake();
    if (call.query.get("with_response") !== "true") return undefined;
    return {
      interaction: {
        id: record.id,
        type: kinds[record.kind],
        response_message_id: record.original?.id,
        response_message_loading: callback.type === 5,
        response_message_ephemeral: record.original?.onlyFor !== null,
        channel_id: record.channel,
        guild_id: world.channels.get(record.channel)?.guild,
      },
      resource: {
        type: callback.type,
        ...(record.original ? { message: messageOf(world, record.original) } : {}),
      },
    };
  }

  function replyFor(call: Call): { record: Record; message: Message } {
    const record = live(call);
    const wanted = call.path.message;
    const message =
      wanted === "@original"
        ? record.original
        : (record.all.find(({ id }) => id === wanted) ?? (record.on?.id === wanted ? record.on : undefined));
    if (!message) throw new Problem("unknownMessage");
    return { record, message };
  }

  const bucket = { limit: 5, perMs: 5000 };
  const routes: Route[] = [
    {
      method: "POST",
      path: "/interactions/:interaction/:token/callback",
      bucket: { limit: 1000, perMs: 1000 },
      isByToken: true,
      answer: respond,
    },
    {
      method: "POST",
      path: "/webhooks/:application/:token",
      bucket,
      isByToken: true,
      answer: (call) => {
        const record = live(call);
        if (!record.callback) throw new Problem("unknownWebhook");
        const draft = parse(followUpSchema, call.json ?? {}) as Draft;
        // After a promise the first follow-up takes its place.
        const promised = record.original && record.original.flags & (1 << 7) ? record.original : null;
        const message = promised
          ? messages.edit(promised, draft, call.files)
          : post(record, draft, { uploads: call.files });
        return messageOf(world, message);
      },
    },
    {
      method: "GET",
      path: "/webhooks/:application/:token/messages/:message",
      bucket,
      isByToken: true,
      answer: (call) => messageOf(world, replyFor(call).message),
    },
    {
      method: "PATCH",
      path: "/webhooks/:application/:token/messages/:message",
      bucket,
      isByToken: true,
      answer: (call) => {
        const draft = parse(editMessageSchema, call.json ?? {}) as Draft;
        return messageOf(world, messages.edit(replyFor(call).message, draft, call.files));
      },
    },
    {
      method: "DELETE",
      path: "/webhooks/:application/:token/messages/:message",
      bucket,
      isByToken: true,
      answer: (call) => {
        const { record, message } = replyFor(call);
        messages.remove(message);
        record.all = record.all.filter((one) => one !== message);
      },
    },
  ];
  return { begin, routes, botOfToken: (token: string): string | null => byToken.get(token)?.bot ?? null };
}
