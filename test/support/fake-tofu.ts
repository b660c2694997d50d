/**
 * Stands in for `tofu` where no provider can be had: the commands that the bootstrap gives, on a state that lies in the
 * bucket it was told, under a lock, with plans that go stale; what the stack would make, `makeStack` makes in the
 * emulator. Run by a script called `tofu`; it notes each call, with the names of its variables, in $HOME/calls.
 */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { S3Client } from "@aws-sdk/client-s3";
import { ownedBy, toEc2Tags } from "../../tools/fleet/aws/tags.ts";
import type { Emulator } from "./aws.ts";
import { removeStack } from "./fake-tofu-destroy.ts";
import { emulatorClientOptions, makeStack, type Stack } from "./stack.ts";

interface State {
  serial: number;
  stack: Stack | null;
}

interface Plan {
  serial: number;
  destroy: boolean;
  isChanged: boolean;
  variables: Record<string, unknown>;
}

interface Backend {
  bucket: string;
  key: string;
  region: string;
}

const addresses = [
  "aws_s3_bucket.images",
  "aws_launch_template.instance",
  "aws_efs_file_system.memory",
  "aws_security_group.instance",
  "aws_iam_role.instance",
];

const [command = "", ...parameters] = process.argv.slice(2);
const endpoint = process.env.AWS_ENDPOINT_URL ?? "";
const emulator = { url: endpoint } as Emulator;
appendFileSync(
  join(process.env.HOME ?? "/nowhere", "calls"),
  `${JSON.stringify({ program: "tofu", parameters: [command, ...parameters], environment: Object.keys(process.env).sort() })}\n`,
);

const option = (name: string): string | null =>
  parameters.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1) ?? null;

try {
  process.exitCode = await run();
} catch (error) {
  console.error(`Error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function run(): Promise<number> {
  if (command === "init") return init();
  const backend = JSON.parse(readFileSync(join(".terraform", "backend.json"), "utf8")) as Backend;
  const file = parameters.at(-1) ?? "";
  if (command === "show" && !file.startsWith("-")) return show(file);
  const store = await openState(backend);
  try {
    if (command === "plan") return await locked(store, () => plan(store));
    if (command === "apply") return await locked(store, () => apply(store, parameters.at(-1) ?? ""));
    if (command === "output") return await output(store);
    if (command === "show") return await showState(store);
  } finally {
    store.client.destroy();
  }
  throw new Error(`the stand-in for tofu does not know ${command}`);
}

function say(text: string): number {
  process.stdout.write(`${text}\n`);
  return 0;
}

function init(): number {
  const backend: Record<string, string> = {};
  for (const one of parameters) {
    const [, name, value] = /^-backend-config=([a-z]+)=(.+)$/.exec(one) ?? [];
    if (name && value) backend[name] = value;
  }
  for (const name of ["bucket", "key", "region"]) if (!backend[name]) throw new Error(`the backend has no ${name}`);
  if (!existsSync("variables.tf")) throw new Error("this directory holds no stack");
  mkdirSync(".terraform", { recursive: true });
  writeFileSync(join(".terraform", "backend.json"), JSON.stringify(backend));
  writeFileSync(".terraform.lock.hcl", "# the stand-in's lock\n");
  return say("OpenTofu has been successfully initialized!");
}

interface StateStore {
  client: S3Client;
  read(): Promise<State>;
  write(state: State): Promise<void>;
  lock(): Promise<boolean>;
  unlock(): Promise<void>;
}

async function openState({ bucket, key }: Backend): Promise<StateStore> {
  const sdk = await import("@aws-sdk/client-s3");
  const client = new sdk.S3Client({ ...emulatorClientOptions(emulator), forcePathStyle: true });
  const lockKey = `${key}.tflock`;
  return {
    client,
    async read() {
      try {
        const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket: bucket, Key: key }));
        return JSON.parse((await Body?.transformToString()) ?? "") as State;
      } catch (error) {
        if ((error as Error).name === "NoSuchKey") return { serial: 0, stack: null };
        throw error;
      }
    },
    write: async (state) =>
      void (await client.send(new sdk.PutObjectCommand({ Bucket: bucket, Key: key, Body: JSON.stringify(state) }))),
    async lock() {
      try {
        await client.send(
          new sdk.PutObjectCommand({ Bucket: bucket, Key: lockKey, Body: String(process.pid), IfNoneMatch: "*" }),
        );
        return true;
      } catch (error) {
        if ((error as Error).name === "PreconditionFailed") return false;
        throw error;
      }
    },
    unlock: async () => void (await client.send(new sdk.DeleteObjectCommand({ Bucket: bucket, Key: lockKey }))),
  };
}

/** Waits for another run as long as `-lock-timeout` says, like the real one. */
async function locked(store: StateStore, work: () => Promise<number>): Promise<number> {
  const seconds = Number(option("-lock-timeout")?.replace("s", "") ?? 0);
  const end = performance.now() + seconds * 1000;
  while (!(await store.lock())) {
    if (performance.now() > end) throw new Error("Error acquiring the state lock");
    await sleep(100);
  }
  try {
    return await work();
  } finally {
    await store.unlock();
  }
}

async function plan(store: StateStore): Promise<number> {
  const { serial, stack } = await store.read();
  const destroy = parameters.includes("-destroy");
  const variables = JSON.parse(readFileSync("terraform.tfvars.json", "utf8")) as Record<string, unknown>;
  for (const name of ["aws_region", "fleet"])
    if (!variables[name]) throw new Error(`No value for required variable ${name}`);
  const declared = readFileSync("variables.tf", "utf8");
  for (const name of Object.keys(variables))
    if (!declared.includes(`variable "${name}"`)) throw new Error(`there is no variable ${name}`);
  if (
    destroy &&
    stack &&
    !existsSync("teardown_override.tf") &&
    sources().some((text) => /prevent_destroy\s*=\s*true/.test(text))
  )
    throw new Error("Instance cannot be destroyed: it has lifecycle.prevent_destroy set");
  const isChanged = destroy ? stack !== null : stack === null;
  const file = option("-out");
  if (!file) throw new Error("a plan that is not saved cannot be applied as it was shown");
  writeFileSync(file, JSON.stringify({ serial, destroy, isChanged, variables } satisfies Plan));
  say(
    isChanged
      ? `Plan: ${destroy ? 0 : addresses.length} to add, 0 to change, ${destroy ? addresses.length : 0} to destroy.`
      : "No changes.",
  );
  return isChanged && parameters.includes("-detailed-exitcode") ? 2 : 0;
}

function sources(): string[] {
  return readdirSync(".")
    .filter((name) => name.endsWith(".tf"))
    .map((name) => readFileSync(name, "utf8"));
}

function show(file: string): number {
  const { destroy, isChanged } = JSON.parse(readFileSync(file, "utf8")) as Plan;
  const actions = isChanged ? [process.env.AWS_FAKE_REMOVES || destroy ? "delete" : "create"] : ["no-op"];
  return say(
    JSON.stringify({
      resource_changes: addresses.map((address) => ({ address, mode: "managed", change: { actions } })),
    }),
  );
}

async function apply(store: StateStore, file: string): Promise<number> {
  const { serial, destroy, variables } = JSON.parse(readFileSync(file, "utf8")) as Plan;
  const state = await store.read();
  if (state.serial !== serial) throw new Error("Saved plan is stale");
  if (destroy && state.stack) {
    await removeStack(emulator, state.stack);
    await store.write({ serial: serial + 1, stack: null });
    return say("Apply complete! Resources: 0 added, 0 changed, 5 destroyed.");
  }
  if (state.stack) return say("Apply complete! Resources: 0 added, 0 changed, 0 destroyed.");
  say("aws_s3_bucket.images: Creating...");
  const stack = await makeStack(emulator, { fleet: String(variables.fleet) });
  await tagBucket(store, stack);
  await store.write({ serial: serial + 1, stack });
  return say("Apply complete! Resources: 5 added, 0 changed, 0 destroyed.");
}

async function tagBucket({ client }: StateStore, stack: Stack): Promise<void> {
  const { PutBucketTaggingCommand } = await import("@aws-sdk/client-s3");
  const Tagging = { TagSet: toEc2Tags(ownedBy(stack.fleet)) };
  await client.send(new PutBucketTaggingCommand({ Bucket: stack.bucket, Tagging }));
}

async function output(store: StateStore): Promise<number> {
  const { stack } = await store.read();
  if (!stack) return say("{}");
  const plain = {
    bucket_name: stack.bucket,
    aws_region: stack.region,
    fleet: stack.fleet,
    launch_template_id: stack.launchTemplate,
    subnet_ids: stack.subnets,
    efs_file_system_id: stack.fileSystem,
    ci_role_arn: "arn:aws:iam::123456789012:role/clawdinator-ci",
    instance_id: null,
  };
  const secret = { secret_access_key: "wJalrXUtnFEMIstandinSECRETkeySTANDIN" };
  const entries = [
    ...Object.entries(plain).map(([name, value]) => [name, { sensitive: false, value }] as const),
    ...Object.entries(secret).map(([name, value]) => [name, { sensitive: true, value }] as const),
  ];
  return say(JSON.stringify(Object.fromEntries(entries)));
}

async function showState(store: StateStore): Promise<number> {
  const { stack } = await store.read();
  const resources = addresses.map((address) => ({ address, mode: "managed" }));
  return say(JSON.stringify({ format_version: "1.0", ...(stack ? { values: { root_module: { resources } } } : {}) }));
}
