/** The stack in tofu/ as parsed HCL, and the programs that check it where they are installed. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "@cdktf/hcl2json";

export const stackDirectory = join(import.meta.dirname, "..", "..", "tofu");
const checkers = join(import.meta.dirname, "..", "..", "..", "shared", "tofu");

export type Block = Record<string, unknown>;
type Labelled = Record<string, Record<string, Block[]>>;

/** Blocks by their labels; expressions are strings in `${…}`, as the parser gives them. */
export interface Stack {
  resources: Labelled;
  data: Labelled;
  variables: Record<string, Block>;
  outputs: Record<string, Block>;
  locals: Block;
  terraform: Block[];
  providers: Record<string, Block[]>;
  /** By file name. */
  texts: Record<string, string>;
}

export async function readStack(directory = stackDirectory): Promise<Stack> {
  const stack: Stack = {
    resources: {},
    data: {},
    variables: {},
    outputs: {},
    locals: {},
    terraform: [],
    providers: {},
    texts: {},
  };
  for (const file of readdirSync(directory).filter((name) => name.endsWith(".tf"))) {
    const text = readFileSync(join(directory, file), "utf8");
    stack.texts[file] = text;
    const parsed = (await parse(file, text)) as Record<string, unknown>;
    mergeLabelled(stack.resources, parsed.resource as Labelled | undefined);
    mergeLabelled(stack.data, parsed.data as Labelled | undefined);
    for (const [name, blocks] of Object.entries((parsed.variable ?? {}) as Record<string, Block[]>))
      stack.variables[name] = blocks[0] ?? {};
    for (const [name, blocks] of Object.entries((parsed.output ?? {}) as Record<string, Block[]>))
      stack.outputs[name] = blocks[0] ?? {};
    for (const block of (parsed.locals ?? []) as Block[]) Object.assign(stack.locals, block);
    stack.terraform.push(...((parsed.terraform ?? []) as Block[]));
    Object.assign(stack.providers, parsed.provider ?? {});
  }
  return stack;
}

function mergeLabelled(into: Labelled, from: Labelled = {}): void {
  for (const [type, named] of Object.entries(from)) into[type] = { ...into[type], ...named };
}

/** Every resource as `type.name` with its block. */
export function resourcesOf(stack: Stack): [string, Block][] {
  return Object.entries(stack.resources).flatMap(([type, named]) =>
    Object.entries(named).map(([name, blocks]): [string, Block] => [`${type}.${name}`, blocks[0] ?? {}]),
  );
}

/** Nested blocks of a name; none where there is none. */
export function blocksOf(block: Block | undefined, name: string): Block[] {
  const found = block?.[name];
  return Array.isArray(found) ? (found as Block[]) : [];
}

/** A `tofu` that is installed already, or null. Nothing is built or downloaded. */
export function findTofu(): string | null {
  const candidates = [process.env.TOFU, "tofu"].filter((program): program is string => Boolean(program));
  const found = candidates.find((program) => spawnSync(program, ["version"], { stdio: "ignore" }).status === 0);
  if (found) return found;
  const getter = join(checkers, "get-tofu.sh");
  if (!existsSync(getter)) return null;
  const result = spawnSync(getter, ["--no-build"], { encoding: "utf8" });
  return result.status === 0 ? result.stdout.trim() : null;
}

/** A checker of resource types and arguments against the provider's schema, where it lies beside the project. */
export function findSchemaChecker(): string | null {
  const checker = join(checkers, "check-args.mjs");
  return existsSync(checker) ? checker : null;
}
