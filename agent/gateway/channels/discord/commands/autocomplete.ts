/**
 * Suggestions while a command is typed, within Discord's 3 s: from what was last known, which is looked up again in the
 * background. Only the very first one waits, and not for long.
 */
import type { AutocompleteInteraction } from "discord.js";
import { type FleetStatus, instanceNamePattern } from "../../../../../tools/fleet/model.ts";
import { nextFreeName } from "../../../../../tools/fleet/names.ts";
import type { Image } from "../../../../../tools/fleet/services.ts";
import { oneLine } from "../cards/card-text.ts";
import { type Completion, findCommand } from "./command-definitions.ts";

export interface Choice {
  name: string;
  value: string;
}

/** Older than this is looked up again. */
const freshMs = 10_000;
/** The first one waits this long at most. */
const patienceMs = 1_500;
const mostChoices = 25;

interface Known {
  status: FleetStatus | null;
  images: Image[];
  desired: string[];
}

export interface Autocomplete {
  complete(interaction: AutocompleteInteraction): Promise<Choice[]>;
  /** Looks things up before anybody asks. */
  warm(): void;
}

export function createAutocomplete(options: {
  status(): Promise<FleetStatus>;
  images(): Promise<Image[]>;
  /** Names that are wanted. */
  desired(): Promise<string[]>;
}): Autocomplete {
  const known: Known = { status: null, images: [], desired: [] };
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;

  /** What cannot be read stays as it was last known. */
  const read = (): Promise<void> => {
    reading ??= Promise.allSettled([
      options.status().then((status) => Object.assign(known, { status })),
      options.images().then((images) => Object.assign(known, { images })),
      options.desired().then((desired) => Object.assign(known, { desired })),
    ]).then(() => {
      readAt = performance.now();
      reading = null;
    });
    return reading;
  };

  return {
    warm: () => void read(),

    async complete(interaction) {
      const command = findCommand(interaction.commandName, interaction.options.getSubcommand(false));
      const { name, value } = interaction.options.getFocused(true);
      const completion = command?.options.find((option) => option.name === name)?.complete;
      if (!completion) return [];
      if (performance.now() - readAt > freshMs) {
        const fresh = read();
        if (known.status === null) {
          const { promise, resolve } = Promise.withResolvers<void>();
          const timer = setTimeout(resolve, patienceMs);
          await Promise.race([fresh, promise]).finally(() => clearTimeout(timer));
        }
      }
      const typed = String(value).trim().toLowerCase();
      return choicesOf(completion, known)
        .filter((choice) => `${choice.name} ${choice.value}`.toLowerCase().includes(typed))
        .slice(0, mostChoices);
    },
  };
}

function choicesOf(completion: Completion, { status, images, desired }: Known): Choice[] {
  const instances = (status?.instances ?? []).filter(({ epoch }) => epoch !== null);
  const names = [...new Set([...instances.map((one) => one.name), ...desired])];
  if (completion === "instance") {
    return names.map((name) => {
      const found = instances.find((one) => one.name === name);
      return choice(found ? `${name} (${found.state}, ${shortOf(found.revision)})` : `${name} (not there)`, name);
    });
  }
  if (completion === "newName") {
    const next = nextFreeName(names.filter((name) => instanceNamePattern.test(name)));
    return [choice(`${next} (free)`, next)];
  }
  const newest = [...images].sort((a, b) => b.builtAt - a.builtAt);
  const built = newest.map(({ revision, builtAt }) => {
    const runs = instances.filter((one) => one.revision === revision).map((one) => one.name);
    const on = runs.length === 0 ? "" : `, runs on ${runs.slice(0, 3).join(", ")}`;
    return choice(`${shortOf(revision)} (built ${new Date(builtAt).toISOString().slice(0, 10)}${on})`, revision);
  });
  return completion === "image"
    ? built
    : [choice("latest (the newest commit)", "latest"), choice("main", "main"), ...built];
}

function choice(name: string, value: string): Choice {
  return { name: oneLine(name, 100), value: value.slice(0, 100) };
}

function shortOf(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 12) : revision;
}
