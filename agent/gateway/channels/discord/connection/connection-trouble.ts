/** Why there is no connection, in words that name the fix. */
import { tokenSecretName } from "./token.ts";

/** What ended a session, and what must happen before the next one. */
export type End =
  | { kind: "closed" }
  /** After a while; null is as long as failures in a row ask for. */
  | { kind: "again"; waitMs: number | null; problem: string | null }
  /** Only another token can help. */
  | { kind: "token"; problem: string };

const portal = "https://discord.com/developers/applications";

export const trouble = {
  noToken: `there is no bot token; put it with \`clawdinator secrets put ${tokenSecretName}\``,
  refusedToken: `Discord refuses the bot's token; reset it at ${portal} (Bot, Reset Token) and put the new one with \`clawdinator secrets put ${tokenSecretName}\``,
  noMessageContent: `the bot may not read messages: switch on “Message Content Intent” at ${portal} (Bot, Privileged Gateway Intents)`,
  unreachable: (detail: string): string => `Discord cannot be reached: ${detail}; it is tried again by itself`,
  otherName: (bot: string, name: string, own: string): string =>
    `the token is that of ${bot}, which ${name} speaks as; give ${own} a bot of its own: \`clawdinator secrets put ${tokenSecretName} --instance ${own}\``,
  waiting: (count: number, waitMs: number): string =>
    `${count} sessions were begun in 24 hours, the last ones in a row; the next one begins in ${duration(waitMs)}, since too many cost the token. Find out why it restarts: its log says`,
  blocked: (waitMs: number): string =>
    `Discord refused very many requests, so none is made for ${duration(waitMs)}; mend the permissions that are missing`,
  lost: "the connection is lost and is being resumed",
  slow: "Discord did not finish the greeting in time; it is tried again by itself",
} as const;

/** Close codes of the gateway that no further attempt changes (Discord's docs, opcodes and status codes). */
const finalCodes: Record<number, string> = {
  4004: trouble.refusedToken,
  4010: "Discord refused the shard: this is a fault in the program; report it",
  4011: "the bot is in more guilds than one connection may serve (2,500); let it leave some",
  4012: "Discord no longer speaks this version of its gateway; update the program",
  4013: "Discord refused the intents as invalid: this is a fault in the program; report it",
  4014: trouble.noMessageContent,
};

/** What a close code means; null where the connection goes on by itself. */
export function endOfCode(code: number): End | null {
  const problem = finalCodes[code];
  return problem === undefined ? null : { kind: "token", problem };
}

function duration(ms: number): string {
  return ms < 90_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`;
}
