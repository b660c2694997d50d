/** What Discord takes in a request, with its limits; anything else is refused with the path of what is wrong. */
import { z } from "zod";
import { invalid, invalidAll } from "./problem.ts";
import type { Json } from "./world.ts";

export const snowflake = z.string().regex(/^[0-9]{15,20}$/, "Value is not snowflake.");
const emoji = z.strictObject({
  id: snowflake.nullish(),
  name: z.string().nullish(),
  animated: z.boolean().optional(),
});

const button = z
  .strictObject({
    type: z.literal(2),
    id: z.number().int().optional(),
    style: z.number().int().min(1).max(5),
    label: z.string().max(80).optional(),
    emoji: emoji.optional(),
    custom_id: z.string().min(1).max(100).optional(),
    url: z.url().max(512).optional(),
    disabled: z.boolean().optional(),
  })
  .refine((one) => (one.style === 5 ? one.url !== undefined && !one.custom_id : one.custom_id && !one.url), {
    message: "A custom id and url cannot both be specified, and one must be",
  })
  .refine((one) => one.label || one.emoji, { message: "A button needs a label or an emoji" });

const option = z.strictObject({
  label: z.string().min(1).max(100),
  value: z.string().min(1).max(100),
  description: z.string().max(100).optional(),
  emoji: emoji.optional(),
  default: z.boolean().optional(),
});
const select = z.strictObject({
  type: z.union([z.literal(3), z.literal(5), z.literal(6), z.literal(7), z.literal(8)]),
  id: z.number().int().optional(),
  custom_id: z.string().min(1).max(100),
  options: z.array(option).min(1).max(25).optional(),
  placeholder: z.string().max(150).optional(),
  min_values: z.number().int().min(0).max(25).optional(),
  max_values: z.number().int().min(1).max(25).optional(),
  disabled: z.boolean().optional(),
});
const input = z.strictObject({
  type: z.literal(4),
  id: z.number().int().optional(),
  custom_id: z.string().min(1).max(100),
  style: z.union([z.literal(1), z.literal(2)]),
  label: z.string().min(1).max(45).optional(),
  min_length: z.number().int().min(0).max(4000).optional(),
  max_length: z.number().int().min(1).max(4000).optional(),
  required: z.boolean().optional(),
  value: z.string().max(4000).optional(),
  placeholder: z.string().max(100).optional(),
});

const messageRow = z.strictObject({
  type: z.literal(1),
  id: z.number().int().optional(),
  components: z.union([z.array(button).min(1).max(5), z.array(select).length(1)]),
});

const embed = z.strictObject({
  type: z.literal("rich").optional(),
  title: z.string().max(256).nullish(),
  description: z.string().max(4096).nullish(),
  url: z.url().nullish(),
  timestamp: z.iso.datetime({ offset: true }).nullish(),
  color: z.number().int().min(0).max(0xffffff).nullish(),
  footer: z.strictObject({ text: z.string().min(1).max(2048), icon_url: z.string().optional() }).nullish(),
  image: z.strictObject({ url: z.string() }).nullish(),
  thumbnail: z.strictObject({ url: z.string() }).nullish(),
  author: z
    .strictObject({ name: z.string().min(1).max(256), url: z.url().optional(), icon_url: z.string().optional() })
    .nullish(),
  fields: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(256),
        value: z.string().min(1).max(1024),
        inline: z.boolean().optional(),
      }),
    )
    .max(25)
    .optional(),
});

const allowedMentions = z
  .strictObject({
    parse: z.array(z.enum(["roles", "users", "everyone"])).optional(),
    roles: z.array(snowflake).max(100).optional(),
    users: z.array(snowflake).max(100).optional(),
    replied_user: z.boolean().optional(),
  })
  .refine((one) => !(one.parse?.includes("users") && one.users?.length), {
    message: "parse and users exclude each other",
  })
  .refine((one) => !(one.parse?.includes("roles") && one.roles?.length), {
    message: "parse and roles exclude each other",
  });

const messageFields = {
  content: z.string().max(2000, "Must be 2000 or fewer in length.").nullish(),
  embeds: z.array(embed).max(10).nullish(),
  allowed_mentions: allowedMentions.nullish(),
  components: z.array(messageRow).max(5).nullish(),
  attachments: z
    .array(
      z.looseObject({
        id: z.union([z.string(), z.number()]),
        filename: z.string().max(260).optional(),
        description: z.string().max(1024).nullish(),
      }),
    )
    .max(10)
    .nullish(),
  flags: z.number().int().nullish(),
};

const createFields = {
  ...messageFields,
  tts: z.boolean().optional(),
  nonce: z.union([z.string().max(25), z.number().int()]).optional(),
  enforce_nonce: z.boolean().optional(),
  message_reference: z
    .strictObject({
      type: z.literal(0).optional(),
      message_id: snowflake,
      channel_id: snowflake.optional(),
      guild_id: snowflake.optional(),
      fail_if_not_exists: z.boolean().optional(),
    })
    .nullish(),
  sticker_ids: z.array(snowflake).max(0).optional(),
};

export const createMessageSchema = z.strictObject(createFields);
/** Fields of a new message that Discord overlooks elsewhere; the real client sends them along. */
const overlooked = {
  tts: z.boolean().optional(),
  nonce: z.union([z.string(), z.number()]).optional(),
  enforce_nonce: z.boolean().optional(),
};
export const editMessageSchema = z.strictObject({ ...messageFields, ...overlooked });
const interactionMessage = z.strictObject({ ...messageFields, ...overlooked });
/** What follows an interaction; discord.js sends the nonce fields of an ordinary message along. */
export const followUpSchema = z.strictObject({
  ...createFields,
  username: z.string().optional(),
  avatar_url: z.string().optional(),
  thread_name: z.string().optional(),
  message_reference: z.undefined().optional(),
});

const choiceValue = z.union([z.string().max(100), z.number()]);
export const choice = z.strictObject({
  name: z.string().min(1).max(100),
  name_localizations: z.record(z.string(), z.string()).nullish(),
  value: choiceValue,
});

export const callbackSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal(4), data: interactionMessage }),
  z.strictObject({ type: z.literal(5), data: z.strictObject({ flags: z.number().int().optional() }).optional() }),
  z.strictObject({ type: z.literal(6), data: z.strictObject({}).optional() }),
  z.strictObject({ type: z.literal(7), data: interactionMessage.optional() }),
  z.strictObject({ type: z.literal(8), data: z.strictObject({ choices: z.array(choice).max(25) }) }),
  z.strictObject({
    type: z.literal(9),
    data: z.strictObject({
      custom_id: z.string().min(1).max(100),
      title: z.string().min(1).max(45),
      components: z
        .array(
          z.union([
            z.strictObject({
              type: z.literal(1),
              id: z.number().int().optional(),
              components: z.array(input).length(1),
            }),
            z.strictObject({
              type: z.literal(18),
              id: z.number().int().optional(),
              label: z.string().min(1).max(45),
              description: z.string().max(100).optional(),
              component: z.union([input, select]),
            }),
          ]),
        )
        .min(1)
        .max(5),
    }),
  }),
]);

export const threadSchema = z.strictObject({
  name: z.string().min(1).max(100),
  auto_archive_duration: z.union([z.literal(60), z.literal(1440), z.literal(4320), z.literal(10080)]).optional(),
  rate_limit_per_user: z.number().int().min(0).max(21600).nullish(),
  type: z.literal(11).optional(),
  invitable: z.boolean().optional(),
});

export const editChannelSchema = z.strictObject({
  name: z.string().min(1).max(100).optional(),
  archived: z.boolean().optional(),
  locked: z.boolean().optional(),
  auto_archive_duration: z.number().int().optional(),
  rate_limit_per_user: z.number().int().nullish(),
});

export function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (!result.success) throw invalidAll(result.error);
  return result.data;
}

const embedTotal = 6000;

/** Limits that concern several fields together. */
export function checkMessage(body: { embeds?: unknown; components?: unknown }): void {
  const embeds = (body.embeds ?? []) as Json[];
  const characters = embeds.reduce((sum, one) => sum + charactersOf(one), 0);
  if (characters > embedTotal)
    throw invalid(["embeds"], "MAX_EMBED_SIZE_EXCEEDED", `Embed size exceeds maximum size of ${embedTotal}`);
  const ids = ((body.components ?? []) as { components: { custom_id?: string }[] }[])
    .flatMap(({ components }) => components.map(({ custom_id }) => custom_id))
    .filter((id) => id !== undefined);
  if (new Set(ids).size !== ids.length)
    throw invalid(["components"], "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated");
}

function charactersOf(one: Json): number {
  const { title, description, footer, author, fields } = one as {
    title?: string;
    description?: string;
    footer?: { text: string };
    author?: { name: string };
    fields?: { name: string; value: string }[];
  };
  return [title, description, footer?.text, author?.name, ...(fields ?? []).flatMap(({ name, value }) => [name, value])]
    .map((text) => text?.length ?? 0)
    .reduce((sum, length) => sum + length, 0);
}
