/** What Discord takes as a command of an application, with its limits. */
import { z } from "zod";
import { choice, snowflake } from "./bodies.ts";

const commandName = z.string().regex(/^[-_'\p{L}\p{N}]{1,32}$/u, "Command name is invalid");
const localized = z.record(z.string(), z.string()).nullish();
const leafOption = z
  .strictObject({
    type: z.number().int().min(3).max(11),
    name: commandName,
    name_localizations: localized,
    description: z.string().min(1).max(100),
    description_localizations: localized,
    required: z.boolean().optional(),
    choices: z.array(choice).max(25).optional(),
    channel_types: z.array(z.number().int()).optional(),
    min_value: z.number().optional(),
    max_value: z.number().optional(),
    min_length: z.number().int().min(0).max(6000).optional(),
    max_length: z.number().int().min(1).max(6000).optional(),
    autocomplete: z.boolean().optional(),
  })
  .refine((one) => !(one.autocomplete && one.choices?.length), {
    message: "autocomplete and choices exclude each other",
  });
const leafOptions = z
  .array(leafOption)
  .max(25)
  .refine((all) => !all.some((one, i) => one.required && all.slice(0, i).some((before) => !before.required)), {
    message: "Required options must be placed before non-required options",
  })
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, {
    message: "Option names must be unique",
  });
const named = {
  name: commandName,
  name_localizations: localized,
  description: z.string().min(1).max(100),
  description_localizations: localized,
};
const subcommand = z.strictObject({
  type: z.literal(1),
  ...named,
  required: z.boolean().optional(),
  options: leafOptions.optional(),
});
const group = z.strictObject({
  type: z.literal(2),
  ...named,
  required: z.boolean().optional(),
  options: z.array(subcommand).min(1).max(25),
});
export const commandSchema = z.strictObject({
  id: snowflake.optional(),
  type: z.union([z.literal(1)]).optional(),
  ...named,
  name: commandName.refine((name) => name === name.toLowerCase(), { message: "Command name must be lower case" }),
  options: z.union([leafOptions, z.array(z.union([subcommand, group])).max(25)]).optional(),
  default_member_permissions: z
    .string()
    .regex(/^[0-9]+$/)
    .nullish(),
  dm_permission: z.boolean().nullish(),
  default_permission: z.boolean().optional(),
  nsfw: z.boolean().optional(),
  contexts: z.array(z.number().int().min(0).max(2)).nullish(),
  integration_types: z.array(z.number().int().min(0).max(1)).optional(),
  handler: z.number().int().optional(),
});
