/**
 * OpenTofu on a copy of the stack in the state directory: the checkout stays clean, and only what was planned is
 * applied. A command that changes the account writes to a file and has a process group of its own, so that it saves its
 * state even when this process is killed; the next run waits for the state's lock.
 */
import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError } from "../tools/errors.ts";
import { writeFileDurably } from "../tools/fleet/local/files.ts";
import type { Json } from "../tools/json.ts";
import { type ChildRequest, childError, environmentFor, runChild, runToFile } from "./child.ts";
import type { BootstrapContext } from "./step.ts";

export const installTofu =
  "install OpenTofu 1.10 or newer: https://opentofu.org/docs/intro/install/, `brew install opentofu`, or `nix profile install nixpkgs#opentofu`";
/** Long enough for a stack that a killed run is still applying. */
const lockTimeout = "-lock-timeout=900s";
const common = ["-input=false", "-no-color"];

export interface TofuState {
  bucket: string;
  key: string;
  region: string;
}

export interface PlannedStack {
  isChanged: boolean;
  /** Addresses by what happens to them. */
  create: string[];
  update: string[];
  remove: string[];
  file: string;
}

export interface Tofu {
  /** Copies the stack and connects it to its state. Safe to repeat. */
  init(): Promise<void>;
  plan(): Promise<PlannedStack>;
  /** Carries out exactly that plan. */
  apply(plan: PlannedStack): Promise<void>;
  /** Outputs that are no secrets, by name. */
  outputs(): Promise<{ [name: string]: Json }>;
  /** Addresses of what exists. */
  resources(): Promise<string[]>;
  /** Takes the safety catches out of the copy, plans the end of everything and carries that out. */
  destroy(): Promise<void>;
}

const planSchema = z.object({
  resource_changes: z
    .array(
      z.object({
        address: z.string(),
        mode: z.string().optional(),
        change: z.object({ actions: z.array(z.string()) }),
      }),
    )
    .default([]),
});
const outputsSchema = z.record(z.string(), z.object({ sensitive: z.boolean().default(false), value: z.json() }));

interface StateModule {
  resources?: { address: string; mode?: string | undefined }[] | undefined;
  child_modules?: StateModule[] | undefined;
}
const moduleSchema: z.ZodType<StateModule> = z.lazy(() =>
  z.object({
    resources: z.array(z.object({ address: z.string(), mode: z.string().optional() })).optional(),
    child_modules: z.array(moduleSchema).optional(),
  }),
);
/** Before the first apply it holds nothing. */
const stateSchema = z.object({ values: z.object({ root_module: moduleSchema }).optional() });

const hint =
  "its words above say why; mend that and run the same command again, which goes on here. A lock that nobody holds any more: `tofu force-unlock ID`, with the id that it names";

export function openTofu(
  context: BootstrapContext,
  options: { state: TofuState; variables: { [name: string]: Json } },
): Tofu {
  const directory = join(context.paths.home, "tofu", "stack");
  const planFile = join(context.paths.home, "tofu", "stack.plan");
  const { state } = options;

  const request = (parameters: string[]): ChildRequest => ({
    command: "tofu",
    parameters,
    directory,
    environment: {
      ...environmentFor("tofu", context.environment),
      AWS_REGION: context.options.region,
      TF_IN_AUTOMATION: "1",
      CHECKPOINT_DISABLE: "1",
    },
    signal: context.signal,
    install: installTofu,
  });

  /** Its lines are shown as they come. */
  async function tell(parameters: string[], accepted = [0]): Promise<number> {
    const asked = request(parameters);
    const { code, lines } = await runToFile(asked, {
      log: join(context.paths.home, "tofu", "tofu.log"),
      onLine: (line) => {
        if (line.trim() !== "") context.speaker.say("progress", `tofu: ${line.trim()}`);
      },
    });
    if (!accepted.includes(code)) throw childError(asked, lines.join("\n"), hint);
    return code;
  }

  async function quiet(parameters: string[]): Promise<string> {
    const asked = request(parameters);
    const { code, stdout, stderr } = await runChild(asked);
    if (code !== 0) throw childError(asked, stderr || stdout, hint);
    return stdout;
  }

  async function copyStack(): Promise<void> {
    const source = join(context.program, "tofu");
    if (!existsSync(join(source, "versions.tf"))) {
      throw new ConfigError(`the stack is missing: ${source}`, {
        code: "stack_missing",
        hint: "run the bootstrap from a whole checkout of the program",
      });
    }
    await mkdir(directory, { recursive: true, mode: 0o700 });
    // What an older version of the stack had and this one has not must go; the provider and its lock stay.
    for (const name of await readdir(directory)) {
      if (!name.startsWith(".terraform")) await rm(join(directory, name), { recursive: true, force: true });
    }
    await cp(source, directory, { recursive: true, filter: (path) => !/[/\\]\.terraform([/\\]|$)/.test(path) });
    await writeFileDurably(join(directory, "terraform.tfvars.json"), `${JSON.stringify(options.variables, null, 2)}\n`);
    const own = join(context.options.directory, "tofu");
    // What the fleet's owner set by hand, and the pin of the provider that the first run made.
    for (const [from, to] of [
      ["variables.json", "zz-own.auto.tfvars.json"],
      [".terraform.lock.hcl", ".terraform.lock.hcl"],
    ] as const) {
      if (existsSync(join(own, from))) await copyFile(join(own, from), join(directory, to));
    }
  }

  async function planInto(parameters: string[]): Promise<PlannedStack> {
    await rm(planFile, { force: true });
    await tell(["plan", ...common, lockTimeout, "-detailed-exitcode", `-out=${planFile}`, ...parameters], [0, 2]);
    const plan = planSchema.parse(JSON.parse(await quiet(["show", "-json", "-no-color", planFile])));
    const changes = plan.resource_changes.filter(({ mode }) => mode !== "data");
    const having = (action: string): string[] =>
      changes.filter(({ change }) => change.actions.includes(action)).map(({ address }) => address);
    const [create, update, remove] = [having("create"), having("update"), having("delete")];
    return { isChanged: create.length + update.length + remove.length > 0, create, update, remove, file: planFile };
  }

  const apply = async (file: string): Promise<void> => {
    await tell(["apply", ...common, lockTimeout, file]);
    await rm(file, { force: true });
  };

  return {
    async init() {
      await copyStack();
      const backend = Object.entries(state).map(([name, value]) => `-backend-config=${name}=${value}`);
      await tell(["init", ...common, "-reconfigure", ...backend]);
    },

    plan: () => planInto([]),
    apply: (plan) => apply(plan.file),

    async outputs() {
      const found = outputsSchema.parse(JSON.parse(await quiet(["output", "-json", "-no-color"])));
      return Object.fromEntries(
        Object.entries(found).flatMap(([name, { sensitive, value }]) => (sensitive ? [] : [[name, value as Json]])),
      );
    },

    async resources() {
      const { values } = stateSchema.parse(JSON.parse(await quiet(["show", "-json", "-no-color"])));
      return values ? managedIn(values.root_module) : [];
    },

    async destroy() {
      // The one explicit switch: it lies in this copy alone, and the next copy is without it.
      await copyFile(join(directory, "teardown.tf.example"), join(directory, "teardown_override.tf"));
      const plan = await planInto(["-destroy"]);
      if (plan.isChanged) await apply(plan.file);
    },
  };
}

/** Addresses in a module and those below it; what is only read is not among them. */
function managedIn(module: StateModule): string[] {
  const own = (module.resources ?? []).filter(({ mode }) => mode !== "data").map(({ address }) => address);
  return [...own, ...(module.child_modules ?? []).flatMap(managedIn)];
}
