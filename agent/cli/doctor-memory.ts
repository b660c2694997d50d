/** The doctor's look at the hive mind: what is damaged, lost or cannot be taken in. */
import { existsSync } from "node:fs";
import { describeError } from "../../tools/errors.ts";
import type { Check } from "../../tools/fleet/model.ts";
import { fleetPaths } from "../paths.ts";
import type { CommandContext } from "./context.ts";
import { readConfig } from "./read-config.ts";

/** Named in one line; `memory check` names all. */
const mostNamed = 3;

export async function memoryCheck(context: CommandContext): Promise<Check> {
  const name = "memory";
  try {
    const { memory: directory } = fleetPaths(context.home, readConfig(context.home));
    if (!existsSync(directory)) return { name, ok: true, detail: `${directory} is made by the first document` };
    const { withMemory } = await import("./memory.ts");
    const { problems, documents } = await withMemory(context, async (memory) => ({
      problems: await memory.check(),
      documents: await memory.list(),
    }));
    const conflicts = documents.filter(({ isConflicted }) => isConflicted).map(({ document }) => document);
    const told = conflicts.length === 0 ? "" : `; contradicting passages in ${named(conflicts)}`;
    if (problems.length === 0) return { name, ok: true, detail: `${directory}, ${documents.length} documents${told}` };
    const found = problems.map(({ document, problem }) => `${document} ${problem}`);
    return { name, ok: false, detail: `${named(found)}${told}; \`clawdinator memory check\` says what to do` };
  } catch (error) {
    const { message, hint } = describeError(error);
    return { name, ok: false, detail: `${message}; ${hint}` };
  }
}

function named(things: string[]): string {
  const rest = things.length - mostNamed;
  return things.slice(0, mostNamed).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
