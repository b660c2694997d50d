/** What commands are put together from. */
import type { Command } from "commander";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./output.ts";

export type Action = (context: CommandContext, parameters: string[], options: Record<string, unknown>) => Promise<void>;

/** Adds a command below another one, with the options that every command has. */
export type AddCommand = (
  parent: Command,
  usage: string,
  description: string,
  example: string,
  action: Action,
) => Command;

/** A whole number from 0; anything else is wrong usage. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 0) throw new UsageError(`"${text}" is not a count`, "give a whole number");
  return count;
}
