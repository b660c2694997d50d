/**
 * Tells Discord the commands, guild by guild and only when they changed: each guild is asked what it has, and the store
 * remembers by a hash what it was last told. Only the bot's own application is ever written to.
 */
import type { REST } from "discord.js";
import { describeError } from "../../../../../tools/errors.ts";
import { digestOf, type Json } from "../../../../../tools/json.ts";
import type { Store } from "../../../../../tools/store.ts";
import type { Log } from "../../../../log.ts";
import { again } from "../again.ts";
import { commandBodies } from "./command-definitions.ts";

export interface Registration {
  /** Once for each guild and connection. Never throws. */
  register(options: { rest: Pick<REST, "get" | "put">; application: string; guilds: readonly string[] }): Promise<void>;
  /** Guilds that do not take the commands, with the fix. */
  problems(): string[];
}

/** Discord's code: the bot was added without the scope for commands. */
const missingAccess = 50001;

export function createRegistration({ store, log }: { store: Store; log: Log }): Registration {
  const problems = new Map<string, string>();

  return {
    problems: () => [...problems.values()],

    async register({ rest, application, guilds }) {
      const bodies = commandBodies();
      const hash = digestOf(bodies as unknown as Json);
      for (const guild of guilds) {
        try {
          const wasWritten = await registerIn({ rest, application, guild, bodies, hash });
          problems.delete(guild);
          if (wasWritten) log("info", "commands were registered", { guild, commands: bodies.length });
        } catch (error) {
          const { message } = describeError(error);
          const isRefused = (error as { code?: unknown } | null)?.code === missingAccess;
          const fix = isRefused
            ? "invite the bot again with the scope `applications.commands`"
            : "it is tried again at the next start";
          problems.set(guild, `slash commands could not be registered in guild ${guild} (${message}): ${fix}`);
          log("warn", "commands were not registered", { guild, error: message });
        }
      }
    },
  };

  async function registerIn(options: {
    rest: Pick<REST, "get" | "put">;
    application: string;
    guild: string;
    bodies: ReturnType<typeof commandBodies>;
    hash: string;
  }): Promise<boolean> {
    const { rest, application, guild, bodies, hash } = options;
    const path = `/applications/${application}/guilds/${guild}/commands` as const;
    const key = `discord/commands/${application}/${guild}`;
    const there = essential(await again(() => rest.get(path)));
    const told = ((await store.get(key))?.value as { hash?: string } | undefined)?.hash;
    if (digestOf(there) === digestOf(essential(bodies))) {
      if (told !== hash) await store.put(key, { formatVersion: 1, hash });
      return false;
    }
    await again(() => rest.put(path, { body: bodies }));
    await store.put(key, { formatVersion: 1, hash });
    return true;
  }
}

/** What makes a command what it is, without the ids and defaults that Discord adds. */
function essential(value: unknown): Json {
  if (!Array.isArray(value)) return [];
  const described = value.map((entry: Record<string, unknown>) => ({
    name: String(entry.name),
    description: String(entry.description),
    type: Number(entry.type ?? 1),
    required: entry.required === true,
    autocomplete: entry.autocomplete === true,
    limits: [entry.max_length, entry.min_value, entry.max_value].map((limit) =>
      typeof limit === "number" ? limit : null,
    ),
    choices: Array.isArray(entry.choices)
      ? entry.choices.map(({ name, value: meant }: { name: unknown; value: unknown }) => [String(name), String(meant)])
      : [],
    options: essential(entry.options ?? []),
  }));
  return described.sort((a, b) => (a.name < b.name ? -1 : 1));
}
