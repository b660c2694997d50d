/**
 * Plays a scenario against the real program: what people do in Discord goes in, and the bot's posts must come out as
 * written, each word of them. In expected text `{name}` stands for whatever is there, the same everywhere in the file;
 * `{*}` for anything, each time anew, and `{**}` for lines of it. A scenario is a list of steps, each one of those in `Step`.
 */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { parse } from "yaml";
import type { Policy } from "../../../tools/policy.ts";
import { connected, listening, makeDiscordFleet, setPolicy } from "../../support/discord/fleet.ts";
import type { Interaction } from "../../support/discord/interactions.ts";
import { type DiscordOptions, type DiscordServer, startDiscord } from "../../support/discord/server.ts";
import type { Message } from "../../support/discord/world.ts";
import type { FleetOptions, TestFleet } from "../../support/fleet.ts";
import { waitFor } from "../../support/wait.ts";

export type Step =
  /** Somebody says it: `{ josh: text }`. */
  | { say: Record<string, string>; in?: string; as?: string }
  /** Somebody changes or takes back what was said under that label. */
  | { edit: string; to: string }
  | { delete: string }
  /** `{ josh: Approve }`, on the newest post that has that button, or the one with the text `on`. */
  | { press: Record<string, string>; on?: string; tells?: string }
  /** Fills in the form that the last press or command opened. */
  | { fill: Record<string, Record<string, string>>; tells?: string }
  /** `{ josh: { approvals: { list: {} } } }`; `tells` is what only that person is shown. */
  | { command: Record<string, Record<string, Record<string, never>>>; tells?: string }
  /** Waits until a post contains it. */
  | { see: string; in?: string; for?: number }
  /** The whole list of the bots' posts in the channel: `to` is the label or text of what it answers. */
  | { posts: { text: string; by?: string; buttons?: string[]; answers?: string }[]; in?: string }
  | { kill: true }
  | { stop: true }
  | { start: true }
  | { drop: true }
  | { invalidate: true }
  /** What a route does wrong: `lose`, a status, or `{ limit: seconds }`. */
  | { fault: string; does: "lose" | number | { limit: number }; times?: number }
  /** The command line, as maintainer 1. */
  | { console: string[] }
  /** Asks something in another channel and waits for the answer: whatever was still to come has come by then. */
  | { fence: string };

export interface Scenario {
  what: string;
  maintainers?: Record<string, string>;
  policy?: { approvers?: number; rules?: Policy["operations"] };
  server?: DiscordOptions;
  tokens?: string[];
  settings?: Record<string, unknown>;
  steps: Step[];
}

const home = "clawdributors-test";
/** Long enough for a loaded machine; what a scenario waits longer for says so itself (`for`). */
const patienceMs = 30_000;

export function readScenario(file: string): Scenario {
  return parse(readFileSync(file, "utf8")) as Scenario;
}

/** `program`: a clone to run; `atEnd`: takes what is to be done when the scenario is over. */
export async function play(
  scenario: Scenario,
  options: Required<Pick<FleetOptions, "program" | "atEnd">>,
): Promise<{ fleet: TestFleet; server: DiscordServer }> {
  const server = await startDiscord({ ...scenario.server, atEnd: options.atEnd });
  const { maintainers, tokens, settings } = scenario;
  const fleet = makeDiscordFleet({
    ...options,
    server,
    ...(maintainers ? { maintainers } : {}),
    ...(tokens ? { tokens } : {}),
    ...(settings ? { settings } : {}),
  });
  await fleet.start();
  await connected(fleet, server);
  await listening(fleet, server);
  if (scenario.policy) await setPolicy(fleet, scenario.policy);
  const stage: Stage = { server, fleet, said: new Map(), values: new Map(), opened: null };
  for (const [index, step] of scenario.steps.entries()) {
    try {
      await take(step, stage);
    } catch (error) {
      const posts = [...server.world.channels.values()].flatMap(({ name, messages }) =>
        [...messages.values()].map((one) => `#${name} ${server.world.users.get(one.author)?.name}: ${one.content}`),
      );
      throw new Error(
        `step ${index + 1}, ${JSON.stringify(step).slice(0, 200)}\n${posts.join("\n")}\n\n${fleet.output()}`,
        { cause: error },
      );
    }
  }
  expect(server.requests.filter(({ status }) => status === 500)).toEqual([]);
  return { server, fleet };
}

interface Stage {
  server: DiscordServer;
  fleet: TestFleet;
  said: Map<string, Message>;
  values: Map<string, string>;
  opened: Interaction | null;
}

async function take(step: Step, stage: Stage): Promise<void> {
  const { server, fleet, said } = stage;
  if ("say" in step) {
    for (const [who, text] of Object.entries(step.say)) {
      const message = server.say(who, step.in ?? home, text);
      said.set(step.as ?? text, message);
    }
  } else if ("edit" in step) server.editMessage(need(said, step.edit), step.to);
  else if ("delete" in step) server.deleteMessage(need(said, step.delete));
  else if ("press" in step) {
    for (const [who, button] of Object.entries(step.press)) {
      const interaction = server.press(who, await postWith(server, button, step.on), button);
      stage.opened = interaction;
      await told(interaction, step.tells, stage);
    }
  } else if ("fill" in step) {
    for (const [who, values] of Object.entries(step.fill)) {
      if (!stage.opened) throw new Error("nothing was pressed");
      await told(server.modal(who, stage.opened, values), step.tells, stage);
    }
  } else if ("command" in step) {
    for (const [who, given] of Object.entries(step.command))
      for (const [name, options] of Object.entries(given)) {
        await waitFor(() => [...server.guild().commands.values()].flat().some((one) => one.name === name), {
          what: `the command /${name} being registered`,
        });
        await told(server.command(who, name, options), step.tells, stage);
      }
  } else if ("see" in step)
    await waitFor(() => server.posts(step.in ?? home).some(({ content }) => content.includes(step.see)), {
      timeoutMs: (step.for ?? patienceMs / 1000) * 1000,
      what: `a post with "${step.see}"`,
    });
  else if ("posts" in step) await posted(step, stage);
  else if ("kill" in step) await fleet.kill();
  else if ("stop" in step) await fleet.stop();
  else if ("start" in step) {
    await fleet.start();
    await connected(fleet, server);
  } else if ("drop" in step) server.drop();
  else if ("invalidate" in step) server.invalidSession();
  else if ("fault" in step) {
    if (step.does === "lose") server.loseAnswer(step.fault, step.times);
    else if (typeof step.does === "number") server.fail(step.fault, step.does, step.times);
    else server.rateLimit(step.fault, step.does.limit);
  } else if ("fence" in step) {
    const asked = server.say(step.fence, "general", "@CLAWDINATOR-1 version");
    await waitFor(() => server.posts("general").some(({ reference }) => reference === asked.id), {
      timeoutMs: patienceMs,
      what: "the answer in #general",
    });
  } else if ("console" in step) await fleet.json(...step.console);
  else throw new Error("there is no such step");
}

async function told(interaction: Interaction, text: string | undefined, { values }: Stage): Promise<void> {
  await interaction.settled();
  if (interaction.hasFailed()) throw new Error("Discord shows: This interaction failed");
  if (text === undefined) return;
  const replies = (): string[] => interaction.replies().map(({ content }) => content);
  await waitFor(() => replies().some((one) => differs(one, text, values) === null), { timeoutMs: 10_000 }).catch(() => {
    throw new Error(`what was told is not as wanted: ${JSON.stringify(replies())}`);
  });
}

async function postWith(server: DiscordServer, button: string, text = ""): Promise<Message> {
  return waitFor(
    () =>
      server
        .posts(home)
        .findLast(
          ({ content, components }) => content.includes(text) && JSON.stringify(components).includes(`"${button}"`),
        ),
    { timeoutMs: patienceMs, what: `a post with the button ${button}` },
  );
}

async function posted(step: Extract<Step, { posts: unknown }>, { server, said, values }: Stage): Promise<void> {
  const wanted = step.posts;
  let why = "";
  let bound = values;
  const isAsWanted = (): boolean => {
    const found = server.posts(step.in ?? home);
    bound = new Map(values);
    why = "";
    for (const [index, want] of wanted.entries()) {
      const post = found[index];
      if (!post) why ||= `post ${index + 1} is missing: ${want.text}`;
      else why ||= problemOf(post, want, bound) ?? "";
    }
    if (found.length > wanted.length) why ||= `there is one more: ${found[wanted.length]?.content}`;
    return why === "";
  };
  const problemOf = (post: Message, want: (typeof wanted)[number], known: Map<string, string>): string | null => {
    const by = server.world.users.get(post.author)?.name;
    if (want.by !== undefined && by !== want.by) return `it is by ${by}, not by ${want.by}`;
    if (want.answers !== undefined && post.reference !== need(said, want.answers).id)
      return `"${post.content}" does not answer "${want.answers}"`;
    const labels = post.components.flatMap((row) => (row.components as { label: string }[]).map(({ label }) => label));
    if (labels.join() !== (want.buttons ?? []).join()) return `"${post.content}" has the buttons ${labels.join()}`;
    return differs(post.content, want.text, known);
  };
  await waitFor(isAsWanted, { timeoutMs: patienceMs }).catch(() => {
    throw new Error(`the posts are not as wanted: ${why}`);
  });
  values.clear();
  for (const [name, value] of bound) values.set(name, value);
}

/** Null when the text is as wanted; binds the names that are new. */
function differs(text: string, wanted: string, values: Map<string, string>): string | null {
  const names: string[] = [];
  const pattern = wanted
    .trim()
    .split(/(\{[\w*]+\})/)
    .map((part, index) => {
      if (index % 2 === 0) return literal(part);
      const name = part.slice(1, -1);
      const known = values.get(name);
      if (known !== undefined) return literal(known);
      if (name === "**") return "[^]*?";
      if (name === "*") return "[^\\n]*?";
      if (names.includes(name)) return `\\${names.indexOf(name) + 1}`;
      names.push(name);
      return "([^\\n]+?)";
    })
    .join("");
  const match = new RegExp(`^${pattern}$`).exec(text.trim());
  if (!match) return `wanted\n${wanted}\nbut it is\n${text}`;
  for (const [index, name] of names.entries()) values.set(name, match[index + 1]!);
  return null;
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");

function need<T>(map: Map<string, T>, key: string): T {
  const found = map.get(key);
  if (found === undefined) throw new Error(`nothing was said under "${key}"; there is ${[...map.keys()].join(", ")}`);
  return found;
}
