/**
 * The slash commands: one table that registration, dispatch, autocomplete and the documentation read. What changes the
 * fleet is a sentence, the very one that a person could have typed, and runs as an ordinary message of theirs.
 */
import type { RESTPostAPIChatInputApplicationCommandsJSONBody as CommandBody } from "discord.js";
import { parseCommand } from "../../../../commands.ts";

export type Completion = "instance" | "newName" | "image" | "revision";

export interface CommandOption {
  name: string;
  description: string;
  kind: "text" | "number";
  isRequired?: true;
  complete?: Completion;
  choices?: readonly { name: string; value: string }[];
  /** Most characters, or the greatest number. */
  most: number;
}

/** Given options by name. */
export type OptionValues = { readonly [name: string]: string | number | undefined };

export type ReadName =
  | "status"
  | "drift"
  | "images"
  | "approvals"
  | "memory"
  | "attention"
  | "cost"
  | "version"
  | "schedule";

export interface SlashCommand {
  /** Name, or group and name. */
  path: readonly [string] | readonly [string, string];
  description: string;
  options: readonly CommandOption[];
  does: /** `sentences`: what it may be called in words, the first that is understood counts. */
    | { kind: "ask"; tool: string; sentences(values: OptionValues): readonly string[] }
    | { kind: "read"; read: ReadName }
    | { kind: "pause"; paused: boolean };
}

const groupDescriptions: Readonly<Record<string, string>> = {
  fleet: "The fleet as it is and as it should be",
  image: "Images that instances are launched from",
  memory: "The fleet's shared memory",
};

const instance: CommandOption = {
  name: "name",
  description: "the instance, such as CLAWDINATOR-2",
  kind: "text",
  isRequired: true,
  complete: "instance",
  most: 40,
};
const revision: CommandOption = {
  name: "revision",
  description: "commit, branch or tag; default: what the fleet runs",
  kind: "text",
  complete: "revision",
  most: 100,
};

/** `words REVISION`, as a plain word and, for a name that could be anything, said to be a revision. */
function withRevision(start: string, word: string, { revision: given }: OptionValues): string[] {
  if (given === undefined) return [start];
  return [`${start} ${word} ${given}`, `${start} ${word} revision ${given}`];
}

export const slashCommands: readonly SlashCommand[] = [
  {
    path: ["fleet", "status"],
    description: "Every instance with its state, revision, image and epoch",
    options: [],
    does: { kind: "read", read: "status" },
  },
  {
    path: ["fleet", "drift"],
    description: "Where the running fleet differs from what is wanted",
    options: [],
    does: { kind: "read", read: "drift" },
  },
  {
    path: ["deploy"],
    description: "Proposes a new instance; a maintainer approves the plan",
    options: [
      { ...instance, description: "default: the next free name", isRequired: undefined, complete: "newName" },
      revision,
    ],
    does: {
      kind: "ask",
      tool: "instance_launch",
      sentences: (values) => withRevision(`spawn ${values.name ?? "a sibling"}`, "at", values),
    },
  },
  {
    path: ["replace"],
    description: "Proposes a successor for an instance; the old one stays until the new one proved itself",
    options: [instance, revision],
    does: {
      kind: "ask",
      tool: "instance_replace",
      sentences: (values) => withRevision(`replace ${values.name}`, "with", values),
    },
  },
  {
    path: ["retire"],
    description: "Proposes to drain an instance, hand its work over and remove it",
    options: [instance],
    does: { kind: "ask", tool: "instance_retire", sentences: ({ name }) => [`retire ${name}`] },
  },
  {
    path: ["roll"],
    description: "Proposes to replace every instance, one after the other, the first one as a canary",
    options: [revision],
    does: { kind: "ask", tool: "fleet_roll", sentences: (values) => withRevision("roll the fleet", "to", values) },
  },
  {
    path: ["image", "list"],
    description: "Built images, newest first",
    options: [],
    does: { kind: "read", read: "images" },
  },
  {
    path: ["image", "build"],
    description: "Builds the image of a revision; nothing is launched",
    options: [revision],
    does: { kind: "ask", tool: "image_build", sentences: (values) => withRevision("build an image", "of", values) },
  },
  {
    path: ["image", "import"],
    description: "Proposes to register a built image so that instances can be launched from it",
    options: [{ ...revision, complete: "image", description: "revision of the image; default: what the fleet runs" }],
    does: { kind: "ask", tool: "ami_import", sentences: (values) => withRevision("import the image", "of", values) },
  },
  {
    path: ["image", "prune"],
    description: "Proposes to remove images that nothing runs",
    options: [{ name: "keep", description: "how many of the newest stay", kind: "number", most: 999 }],
    does: {
      kind: "ask",
      tool: "image_prune",
      sentences: ({ keep }) => [keep === undefined ? "prune images" : `prune images, keep ${keep}`],
    },
  },
  {
    path: ["update"],
    description: "Proposes an update of the program that this instance runs",
    options: [],
    does: { kind: "ask", tool: "self_update", sentences: () => ["update yourself"] },
  },
  {
    path: ["approvals"],
    description: "What waits for a maintainer's approval",
    options: [],
    does: { kind: "read", read: "approvals" },
  },
  {
    path: ["memory", "search"],
    description: "Finds passages of the shared memory",
    options: [{ name: "text", description: "words to look for", kind: "text", isRequired: true, most: 200 }],
    does: { kind: "read", read: "memory" },
  },
  {
    path: ["attention"],
    description: "Issues and pull requests that need a person",
    options: [],
    does: { kind: "read", read: "attention" },
  },
  {
    path: ["pause"],
    description: "Stops new answers, jobs and operations on every instance until somebody resumes",
    options: [{ name: "reason", description: "why, for everyone to see", kind: "text", most: 500 }],
    does: { kind: "pause", paused: true },
  },
  {
    path: ["resume"],
    description: "Ends the pause",
    options: [],
    does: { kind: "pause", paused: false },
  },
  {
    path: ["cost"],
    description: "What the models cost, and what is left of today's budget",
    options: [
      {
        name: "period",
        description: "default: today",
        kind: "text",
        choices: ["today", "this week", "this month"].map((name) => ({ name, value: name })),
        most: 20,
      },
    ],
    does: { kind: "read", read: "cost" },
  },
  {
    path: ["version"],
    description: "Version, revision and image that answer",
    options: [],
    does: { kind: "read", read: "version" },
  },
  {
    path: ["schedule"],
    description: "Scheduled jobs, when they come next and how they ended last",
    options: [],
    does: { kind: "read", read: "schedule" },
  },
];

/** Null for what this version has no command for. */
export function findCommand(name: string, subcommand: string | null): SlashCommand | null {
  return slashCommands.find(({ path }) => path[0] === name && (path[1] ?? null) === subcommand) ?? null;
}

/** The sentence that means this command with these options, by the grammar that everyone's words are read with. */
export function sentenceFor(command: SlashCommand, values: OptionValues): string | null {
  const { does } = command;
  if (does.kind !== "ask") return null;
  return (
    does.sentences(values).find((sentence) => {
      const meant = parseCommand(sentence);
      return meant.kind === "call" && meant.tool === does.tool;
    }) ?? null
  );
}

/** Discord's numbers for kinds of commands and options (discord-api-docs). */
const chatInput = 1;
const subcommandOption = 1;
const optionTypes = { text: 3, number: 4 } as const;

/** The bodies that Discord is told, the same for every guild. */
export function commandBodies(): CommandBody[] {
  const names = [...new Set(slashCommands.map(({ path }) => path[0]))];
  return names.map((name) => {
    const commands = slashCommands.filter(({ path }) => path[0] === name);
    const isGroup = commands.some(({ path }) => path.length > 1);
    const options = isGroup
      ? commands.map((one) => ({
          type: subcommandOption,
          name: one.path[1],
          description: one.description,
          options: one.options.map(optionBody),
        }))
      : commands.flatMap((one) => one.options.map(optionBody));
    const description = isGroup ? groupDescriptions[name] : commands[0]?.description;
    return { type: chatInput, name, description, options } as CommandBody;
  });
}

function optionBody({ name, description, kind, isRequired, complete, choices, most }: CommandOption): object {
  return {
    type: optionTypes[kind],
    name,
    description,
    required: isRequired === true,
    ...(kind === "text" ? { max_length: most } : { min_value: 0, max_value: most }),
    ...(complete ? { autocomplete: true } : {}),
    ...(choices ? { choices: [...choices] } : {}),
  };
}

/** One row for each command, for the documentation; `has` says which operations this version has. */
export function slashCommandRows(has: (operation: string) => boolean): string[][] {
  const meaning = { ask: "asks in the channel", read: "answers you alone", pause: "acts at once" } as const;
  return slashCommands.map(({ path, description, options, does }) => {
    const shown = options.map(({ name, isRequired }) => (isRequired ? ` ${name}` : ` [${name}]`)).join("");
    const words = does.kind === "ask" ? `\`${exampleOf(does.sentences, options)}\`` : "–";
    const isMissing = does.kind === "ask" ? !has(does.tool) : does.kind === "read" && does.read === "attention";
    const what = isMissing ? `${description}. This version cannot do it yet; the answer says so.` : description;
    return [`\`/${path.join(" ")}${shown}\``, what, meaning[does.kind], words];
  });
}

function exampleOf(sentences: (values: OptionValues) => readonly string[], options: readonly CommandOption[]): string {
  const examples: OptionValues = { name: "CLAWDINATOR-2", revision: "main", keep: 3 };
  const values = Object.fromEntries(options.map(({ name }) => [name, examples[name]]));
  return sentences(values)[0] ?? "";
}
