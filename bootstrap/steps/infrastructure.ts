/** The AWS stack: the bucket of its state by SDK, everything else by OpenTofu, and what the fleet must know of it. */
import { failpoint } from "../../agent/gateway/failpoint.ts";
import { ToolError } from "../../tools/errors.ts";
import type { Json } from "../../tools/json.ts";
import { accountOf } from "../account.ts";
import {
  bucketState,
  countVersions,
  deleteBucket,
  emptyBucket,
  ensureStateBucket,
  stateBucketName,
} from "../buckets.ts";
import { githubRepository } from "../github.ts";
import type { Outputs } from "../journal.ts";
import { publishSettings, readSettings, settingsOf } from "../settings-file.ts";
import type { BootstrapContext, BootstrapStep } from "../step.ts";
import { openTofu, type Tofu } from "../tofu.ts";
import { followRemote } from "./fleet-repository.ts";

/** Addresses that are shown; a stack has some 50. */
const shownAddresses = 60;

export const infrastructure: BootstrapStep = {
  name: "infrastructure",
  title: "AWS infrastructure",
  describe: ({ options }) =>
    `a private bucket for the stack's state, then with OpenTofu in ${options.region}: bucket, roles, launch template, security groups, encrypted EFS file system, SSM document`,

  /** Whether the stack is as it should be, OpenTofu knows; it is asked again unless this very stack was applied. */
  async isDone(context) {
    const settings = await readSettings(context);
    const done = context.journal.read().steps.infrastructure?.state === "done";
    if (!settings || !done) return false;
    const account = (await accountOf(context.clients)).id;
    return (
      (await bucketState(context.clients, { bucket: settings.bucket, fleet: settings.fleet, account })) !== "absent"
    );
  },

  async run(context) {
    const { options, speaker, clients } = context;
    const account = (await accountOf(clients)).id;
    const bucket = stateBucketName({ ...options, account });
    const { created } = await ensureStateBucket(clients, { ...options, bucket, account });
    speaker.say("progress", `${created ? "made" : "found"} the state's bucket ${bucket}`);
    failpoint("infrastructure.bucket");
    const tofu = await stackOf(context);
    const plan = await tofu.plan();
    speaker.say(
      "note",
      `the stack: ${plan.create.length} to create, ${plan.update.length} to change, ${plan.remove.length} to remove`,
      {
        create: plan.create.slice(0, shownAddresses),
        update: plan.update.slice(0, shownAddresses),
        remove: plan.remove.slice(0, shownAddresses),
      },
    );
    if (plan.remove.length > 0) {
      throw new ToolError(`the stack's plan would remove ${plan.remove.slice(0, 5).join(", ")}`, {
        code: "stack_would_remove",
        hint: "the bootstrap removes nothing: look at the change (tofu/variables.json in the fleet repository, the version of the program), or apply it by hand",
      });
    }
    failpoint("infrastructure.planned");
    if (plan.isChanged) await tofu.apply(plan);
    failpoint("infrastructure.applied");
    const outputs = await tofu.outputs();
    const settings = await settingsOf(context, settingsFrom(context, outputs));
    const { commit } = await publishSettings(context, settings);
    await followRemote(context);
    return { stateBucket: bucket, settingsCommit: commit, ...journalOutputs(outputs) };
  },

  async list(context) {
    const account = (await accountOf(context.clients)).id;
    const { options, clients } = context;
    const bucket = stateBucketName({ ...options, account });
    if ((await bucketState(clients, { bucket, fleet: options.fleet, account })) !== "ours") return [];
    const tofu = await stackOf(context);
    const resources = await tofu.resources();
    const lines = resources.map((address) => `stack: ${address}`);
    for (const one of [...(await stackBuckets(context)), bucket]) {
      const { count, more } = await countVersions(clients, one);
      lines.push(`bucket ${one} with ${count}${more ? " or more" : ""} objects and old versions`);
    }
    return lines;
  },

  async undo(context) {
    const { options, clients, signal, speaker } = context;
    const account = (await accountOf(clients)).id;
    const bucket = stateBucketName({ ...options, account });
    if ((await bucketState(clients, { bucket, fleet: options.fleet, account })) !== "ours") return;
    const progress = (text: string): void => speaker.say("progress", text);
    const tofu = await stackOf(context);
    for (const one of await stackBuckets(context)) await emptyBucket(clients, { bucket: one, progress, signal });
    failpoint("teardown.emptied");
    await tofu.destroy();
    failpoint("teardown.destroyed");
    // Last: until here it is what knows the stack.
    await emptyBucket(clients, { bucket, progress, signal });
    await deleteBucket(clients, bucket);
  },
};

/** Buckets of the stack that exist and carry our tags. */
async function stackBuckets(context: BootstrapContext): Promise<string[]> {
  const { clients, options, journal } = context;
  const account = (await accountOf(clients)).id;
  // The state knows them best; after a teardown that was cut short only the journal does, if it is still there.
  const outputs = { ...journal.outputs("infrastructure"), ...(await (await stackOf(context)).outputs()) };
  const settings = await readSettings(context).catch(() => null);
  const named = [outputs.bucket_name, outputs.pr_intent_bucket_name, settings?.bucket].filter(
    (name) => typeof name === "string",
  );
  const found: string[] = [];
  for (const bucket of new Set(named)) {
    if ((await bucketState(clients, { bucket, fleet: options.fleet, account })) === "ours") found.push(bucket);
  }
  return found;
}

const connected = new WeakMap<BootstrapContext, Promise<Tofu>>();

/** Each has a role that reads its own secrets besides the shared ones; further names get the shared role. */
const namesWithOwnRole = Array.from({ length: 8 }, (_, index) => `CLAWDINATOR-${index + 1}`);

/** The stack, copied and connected to its state; once in a run. */
function stackOf(context: BootstrapContext): Promise<Tofu> {
  let tofu = connected.get(context);
  if (!tofu) {
    tofu = openStack(context);
    tofu.catch(() => connected.delete(context));
    connected.set(context, tofu);
  }
  return tofu;
}

async function openStack(context: BootstrapContext): Promise<Tofu> {
  const { options, clients } = context;
  const account = (await accountOf(clients)).id;
  const repository = options.remote === null ? null : githubRepository(options.remote);
  const tofu = openTofu(context, {
    state: {
      bucket: stateBucketName({ ...options, account }),
      key: `${options.fleet}/tofu.tfstate`,
      region: options.region,
    },
    variables: {
      aws_region: options.region,
      fleet: options.fleet,
      ami_id: "",
      ci_repository: repository ?? "",
      instance_names: namesWithOwnRole,
    },
  });
  await tofu.init();
  return tofu;
}

/** The fleet's settings, as the stack's outputs say them. */
function settingsFrom({ options }: BootstrapContext, outputs: { [name: string]: Json }): { [key: string]: Json } {
  const { bucket_name, launch_template_id, subnet_ids, efs_file_system_id, named_instance_profiles } = outputs;
  if (typeof bucket_name !== "string" || typeof launch_template_id !== "string") {
    throw new ToolError("the stack has no outputs `bucket_name` and `launch_template_id`", {
      code: "stack_outputs_missing",
      hint: "the stack in tofu/ is not this program's; run the bootstrap from a whole checkout",
    });
  }
  return {
    region: options.region,
    fleet: options.fleet,
    bucket: bucket_name,
    launchTemplate: launch_template_id,
    ...(Array.isArray(subnet_ids) ? { subnets: subnet_ids } : {}),
    ...(typeof efs_file_system_id === "string" ? { fileSystem: efs_file_system_id } : {}),
    importWay: options.via,
    ...(isObject(named_instance_profiles) ? { instanceProfiles: named_instance_profiles } : {}),
  };
}

function isObject(value: Json | undefined): value is { [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Ids and names only; secret ones were left out where they were read. */
function journalOutputs(outputs: { [name: string]: Json }): Outputs {
  return Object.fromEntries(Object.entries(outputs).filter(([, value]) => value !== null));
}
