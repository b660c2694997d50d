/** The undoing of all steps, last one first: lists, asks for the fleet's name, removes what carries its tags. */
import { rm } from "node:fs/promises";
import { ConfigError, ToolError } from "../tools/errors.ts";
import type { BootstrapContext, BootstrapStep } from "./step.ts";

/** Resumable: what is gone already is not in the list any more. Leaves the fleet repository, which is the user's. */
export async function tearDown(context: BootstrapContext, steps: readonly BootstrapStep[]): Promise<void> {
  const { speaker, options, paths, journal } = context;
  const undoable = steps.filter((step) => step.undo).reverse();
  speaker.say("step", `What exists of the fleet ${options.fleet} in ${options.region}`);
  const items: string[] = [];
  for (const step of undoable) items.push(...((await step.list?.(context)) ?? []));
  speaker.say("plan", items.length > 0 ? items.map((item) => `  ${item}`).join("\n") : "  nothing", { items });
  if (options.dryRun) return;
  if (items.length > 0) {
    await agree(context);
    for (const step of undoable) {
      speaker.enter(step.name);
      speaker.say("step", `Removing: ${step.title}`);
      await step.undo?.(context);
      speaker.say("done", step.title);
    }
  }
  // Credentials and caches of a fleet that is no more; the journal goes last, it knows what there was.
  await rm(paths.home, { recursive: true, force: true });
  await rm(journal.path, { force: true });
  speaker.enter(null);
  speaker.say(
    "result",
    `The fleet ${options.fleet} is gone. Its repository is yours and stays${options.remote ? `: ${options.remote}` : ""}; secrets can be restored for 7 days.`,
    { fleet: options.fleet, removed: items.length },
  );
}

async function agree({ options, prompt }: BootstrapContext): Promise<void> {
  if (options.yes) return;
  if (!prompt.isPossible) {
    throw new ConfigError("nobody can be asked here: this is no terminal", {
      code: "consent_missing",
      hint: "look at the list with --teardown --dry-run, then say yes to it with --yes",
    });
  }
  const answer = await prompt.ask(`\nAll of this is removed for good. Type the fleet's name (${options.fleet}): `);
  if (answer === options.fleet) return;
  throw new ToolError("that was not the fleet's name; nothing was removed", {
    code: "declined",
    hint: "run the same command again when you want it",
  });
}
