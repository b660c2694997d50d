/** Settings of the Discord channel: schema, defaults and descriptions. Ids are Discord's numeric ids as text. */
import { z } from "zod";

const snowflake = z.string().regex(/^[0-9]{5,20}$/, "an id of Discord's is a number of 17 to 20 digits, as text");
const maintainerId = z.string().regex(/^[0-9]{1,20}$/, "a maintainer's id is a number as text");

const channelSchema = z.strictObject({
  allow: z.boolean().default(true).describe("whether the bot listens there"),
  requireMention: z.boolean().optional().describe("only messages that name the bot count; default as the guild"),
  mode: z.enum(["interrupt", "queue"]).optional().describe("default as `conversations.mode`"),
});

const guildSchema = z.strictObject({
  requireMention: z.boolean().default(true).describe("only messages that name the bot count"),
  channels: z
    .record(z.string().min(1).max(100), channelSchema)
    .default({})
    .describe("channels by id, or by name as written in Discord; others are not listened to"),
});

export const discordSettingsSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe("whether the bot connects to Discord"),
    apiUrl: z
      .url()
      .default("https://discord.com/api")
      .describe("address of Discord, or of a server that speaks the same"),
    tokenFile: z
      .string()
      .min(1)
      .optional()
      .describe("file with the bot's token; default the name's secret `discord-token`, then `DISCORD_TOKEN`"),
    guilds: z.record(snowflake, guildSchema).default({}).describe("guilds that the bot listens in, by id"),
    dm: z
      .strictObject({ enabled: z.boolean().default(false).describe("whether maintainers may write to it in private") })
      .prefault({}),
    maintainers: z
      .strictObject({
        users: z
          .record(snowflake, maintainerId)
          .default({})
          .describe("maintainer id by Discord user id; the same person in console and Discord votes once"),
        roles: z
          .array(snowflake)
          .default([])
          .describe("roles whose members are maintainers, each under the Discord user id"),
      })
      .prefault({}),
    mentionPatterns: z
      .array(z.string().min(1).max(200))
      .default([])
      .describe("regular expressions that count as naming the bot, besides a mention"),
    ignoreBots: z
      .boolean()
      .default(true)
      .describe(
        "bots are never answered; with `false` the audit log has a line a minute of one that tries, not one an hour",
      ),
    siblings: z
      .array(snowflake)
      .default([])
      .describe("user ids of the fleet's own bots: they are passed over without a word"),
    reportTo: snowflake
      .optional()
      .describe("channel for what nobody asked for in Discord: heartbeat, approvals, ends of operations; default none"),
    attachments: z
      .strictObject({
        count: z.number().int().min(0).max(10).default(4).describe("files of one message that are read"),
        kilobytes: z.number().int().min(1).max(8_000).default(256).describe("size of one file, kB"),
      })
      .prefault({}),
  })
  .describe("the Discord channel");
export type DiscordSettings = z.output<typeof discordSettingsSchema>;
