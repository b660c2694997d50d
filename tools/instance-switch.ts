import { z } from "zod";
import { ToolError } from "./errors.ts";
import { readHolder } from "./fleet/heartbeats.ts";
import { type DesiredInstance, instanceNameSchema } from "./fleet/model.ts";
import { fixRevision, planHolder, revisionInput, shortRevision } from "./fleet/plans.ts";
import type { FleetServices } from "./fleet/services.ts";
import { commitDesiredStep, type PlannedInstance } from "./fleet/steps.ts";
import type { Json } from "./json.ts";
import { defineOperation, type Step, type StepContext } from "./tool.ts";

const commitPattern = /^[0-9a-f]{40}$/;

interface Switch {
  old: PlannedInstance;
  /** The provider's own name of the machine. */
  machine: string;
  before: DesiredInstance;
  entry: DesiredInstance;
}

export const instanceSwitch = defineOperation({
  name: "instance_switch",
  description:
    "Brings a running instance on AWS to another revision in place, by nixos-rebuild switch, verified by its heartbeat: the fast lane for small changes. The machine, its name and its image stay; it restarts its services. For anything that touches boot or disk, use instance_replace. Switched back when it fails.",
  input: z.strictObject({
    name: instanceNameSchema.describe("the instance to switch"),
    revision: revisionInput.describe("commit, branch or tag of the program; default: the one that this instance runs"),
  }),

  async normalize(context, input) {
    requireSwitching(context.fleet);
    return fixRevision(context, input);
  },

  async plan({ fleet }, input) {
    requireSwitching(fleet);
    const revision = await fleet.provider.resolveRevision(input.revision ?? fleet.self.revision);
    const old = await planHolder(fleet, input.name);
    if (!commitPattern.test(old.revision)) {
      throw new ToolError(`${old.name} runs from a checkout, and could not be switched back to it`, {
        code: "not_switchable",
        hint: "use instance_replace, which puts an instance of the revision in its place",
      });
    }
    if (old.revision === revision) {
      throw new ToolError(`${old.name} runs ${shortRevision(revision)} already`, {
        code: "already_there",
        hint: "`clawdinator fleet status` shows what each instance runs",
      });
    }
    const machine = (await fleet.provider.list()).find((one) => one.instance === old.instance)?.machine;
    const before = (await fleet.desired()).instances[input.name];
    if (!machine || !before) {
      throw new ToolError(`${old.name} has no machine that could be switched`, {
        code: "unknown_instance",
        hint: "look at `clawdinator fleet status` and `clawdinator fleet drift`",
      });
    }
    const entry: DesiredInstance = { ...before, revision };
    const planned: Switch = { old, machine, before, entry };
    return {
      summary: `switch ${old.name} (epoch ${old.epoch}, ${machine}) from ${shortRevision(old.revision)} to ${shortRevision(revision)} in place`,
      facts: { switch: planned as unknown as Json, revision },
      changes: [
        {
          what: `nix/instances.json › ${old.name}`,
          before: before as unknown as Json,
          after: entry as unknown as Json,
        },
        { what: `system of ${machine}`, before: old.revision, after: revision },
      ],
      targets: [{ name: old.name, instance: old.instance, epoch: old.epoch }],
      cost: { onceUsd: 0, monthlyUsd: 0, note: "the machine stays the same" },
      warnings: [
        `${old.name} goes on from image ${old.image}: a replacement of its machine brings the image of the revision`,
      ],
    };
  },

  steps: (plan) => {
    const { switch: planned, revision } = plan.facts as unknown as { switch: Switch; revision: string };
    const { old, before, entry } = planned;
    return [
      switchStep(planned, revision),
      commitDesiredStep({
        prefix: "",
        name: old.name,
        before,
        after: entry,
        subject: `Switch ${old.name} to ${shortRevision(revision)}`,
      }),
    ];
  },
});

/** Verified by what the instance says of itself under the epoch that was planned; switched back when it fails. */
function switchStep({ old }: Switch, revision: string): Step {
  const switchTo = async (context: StepContext, to: string, undoes: string | null): Promise<string | null> => {
    const { provider, store } = context.fleet;
    const verify = async (): Promise<boolean> => {
      const heartbeat = await readHolder(store, old);
      return heartbeat?.instance === old.instance && heartbeat.revision === to && heartbeat.state === "ready";
    };
    const { progress, signal } = context;
    const token = undoes === null ? context.token : `undo-${context.token}`;
    const options = { revision: to, token, undoes, verify, progress, signal };
    return (await requireSwitching({ provider })(old.instance, options)).command;
  };
  return {
    name: "switch",
    async run(context) {
      const command = await switchTo(context, revision, null);
      return { result: { instance: old.instance, revision, command } };
    },
    async compensate(context) {
      await switchTo(context, old.revision, context.token);
    },
  };
}

type SwitchRevision = NonNullable<FleetServices["provider"]["switchRevision"]>;

function requireSwitching({ provider }: Pick<FleetServices, "provider">): SwitchRevision {
  if (provider.switchRevision) return provider.switchRevision.bind(provider);
  throw new ToolError(`instances of the provider ${provider.kind} cannot be switched in place`, {
    code: "not_switchable",
    hint: "use instance_replace (“replace CLAWDINATOR-2”): it is as quick where instances are processes",
  });
}
