import type { Output } from "./output.ts";

/** What every command gets. */
export interface CommandContext {
  home: string;
  as: string | null;
  output: Output;
}
