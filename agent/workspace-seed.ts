/** Puts the program's templates into the workspace of a name, and leaves alone what people did there. */
import { lstat, mkdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeWhole } from "../memory/files.ts";
import { ConfigError, describeError } from "../tools/errors.ts";
import { canonicalJson } from "../tools/json.ts";
import { lookAt } from "../tools/workspace/files.ts";
import { type RecordEntry, readRecord, recordFile, type SeedRecord } from "../tools/workspace/record.ts";
import { programWorkspace, readTemplates, type TemplateValues } from "../tools/workspace/template.ts";
import type { Log } from "./log.ts";
import { type FilePlan, planWorkspace } from "./workspace-plan.ts";

export interface SeedOptions {
  /** The workspace of the name. */
  directory: string;
  values: TemplateValues;
  /** Where templates come from; default the program's own. */
  templates?: string;
}

/**
 * Safe to repeat after a kill at any point, and beside another instance that does the same: each file is replaced as a
 * whole, and the record says what will be written before it is. Throws ConfigError when the workspace itself cannot be
 * used; a single file that cannot is told by its plan.
 */
export async function seedWorkspace(options: SeedOptions): Promise<FilePlan[]> {
  const { directory, values } = options;
  const templates = await readTemplates(values, options.templates);
  if (templates.length === 0) throw unusable(directory, "the program has no templates");
  await makeDirectory(directory);
  const before = await readRecord(directory);
  const plans = await planWorkspace(directory, templates, before);
  const intent: SeedRecord["files"] = {};
  for (const { path, state, write, entry } of plans) {
    if (write !== null && entry !== null) intent[path] = { ...entry, placed: state !== "new" };
  }
  await changeRecord(directory, intent);
  const done = await Promise.all(plans.map((plan) => carryOut(directory, plan)));
  const outcome: Record<string, RecordEntry | null> = {};
  for (const { path, state, entry } of done) if (state !== "blocked") outcome[path] = entry;
  await changeRecord(directory, outcome);
  return done;
}

/** The same without writing anything. */
export async function inspectWorkspace(options: SeedOptions): Promise<FilePlan[]> {
  const templates = await readTemplates(options.values, options.templates);
  return await planWorkspace(options.directory, templates, await readRecord(options.directory));
}

/** Seeds and tells the log; never throws: without a workspace an instance goes on with the program's own files. */
export async function keepWorkspace(options: SeedOptions, log: Log): Promise<void> {
  try {
    const plans = await seedWorkspace(options);
    const paths = (state: FilePlan["state"]): string[] =>
      plans.filter((plan) => plan.state === state).map(({ path }) => path);
    const written = plans.filter(({ write, state }) => write !== null && state !== "blocked");
    if (written.length > 0 || paths("retired").length > 0)
      log("info", "the workspace follows the program", { written: written.length, removed: paths("retired").length });
    for (const { path, hasNewerTemplate } of plans) {
      if (hasNewerTemplate)
        log("info", "a newer template exists of a file that was edited", { path, ...compare(options, path) });
    }
    for (const { path, state, reason } of plans) {
      if (state === "blocked")
        log("error", "a file of the workspace cannot be used, the program's own is", { path, reason });
    }
  } catch (error) {
    const { message, hint } = describeError(error);
    log("error", "the workspace cannot be used, the program's own files are", { error: message, hint });
  }
}

/** How a person sees the difference. */
export function compare({ directory, templates = programWorkspace }: SeedOptions, path: string): { compare: string } {
  return { compare: `diff ${join(directory, path)} ${join(templates, path)}` };
}

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unusable(directory, (cause as Error).message, cause);
  }
  // A link here would make one name write into another's files, or anywhere.
  if (!(await lstat(directory)).isDirectory()) throw unusable(directory, "it is not a directory");
}

function unusable(directory: string, why: string, cause?: unknown): ConfigError {
  return new ConfigError(`the workspace ${directory} cannot be used: ${why}`, {
    code: "workspace_unusable",
    hint: "move away what is in its place, or set `workspace.directory` in the configuration",
    cause,
  });
}

async function carryOut(directory: string, plan: FilePlan): Promise<FilePlan> {
  const path = join(directory, plan.path);
  try {
    if (plan.state === "retired") await unlink(path);
    if (plan.write === null) return plan;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    // Nobody's edit of this very moment is overwritten.
    const look = await lookAt(directory, plan.path);
    if (look.state === "blocked") return { ...plan, state: "blocked", reason: look.reason };
    if ((look.state === "file" ? look.text : null) !== plan.seen) return plan;
    await writeWhole(path, plan.write);
    return plan;
  } catch (error) {
    return { ...plan, state: "blocked", reason: (error as Error).message };
  }
}

const recordAttempts = 5;

/** Changes these entries of the record and no other, also when another instance changes it at the same time. */
async function changeRecord(directory: string, changes: Record<string, RecordEntry | null>): Promise<void> {
  for (let attempt = 0; attempt < recordAttempts; attempt++) {
    const { files } = await readRecord(directory);
    const next: SeedRecord["files"] = { ...files };
    for (const [path, entry] of Object.entries(changes)) {
      if (entry === null) delete next[path];
      else next[path] = entry;
    }
    if (canonicalJson(next) === canonicalJson(files)) return;
    await writeWhole(join(directory, recordFile), `${JSON.stringify({ formatVersion: 1, files: next }, null, 2)}\n`);
  }
}
