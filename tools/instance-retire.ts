import { z } from "zod";
import { ToolError } from "./errors.ts";
import { type DesiredInstance, instanceNameSchema } from "./fleet/model.ts";
import { readNames } from "./fleet/names.ts";
import { planHolder, planSavings, shortRevision } from "./fleet/plans.ts";
import { commitDesiredStep, drainStep, type PlannedInstance, retireStep } from "./fleet/steps.ts";
import type { Json } from "./json.ts";
import { defineOperation } from "./tool.ts";

export const instanceRetire = defineOperation({
  name: "instance_retire",
  description:
    "Retires an instance: it finishes its runs, gives up its name, and is stopped and removed. Memory and conversations stay. The last instance cannot be retired.",
  input: z.strictObject({ name: instanceNameSchema.describe("the instance to retire") }),

  async plan({ fleet }, input) {
    const old = await planHolder(fleet, input.name);
    const others = (await readNames(fleet.store)).filter(
      (record) => record.holder !== null && record.name !== input.name,
    );
    if (others.length === 0) {
      throw new ToolError(`${input.name} is the last instance; nobody would be left to finish the job`, {
        code: "last_instance",
        hint: "to stop it, end its process: `clawdinator down`, or Ctrl-C where it runs",
      });
    }
    const before = (await fleet.desired()).instances[input.name] ?? null;
    return {
      summary: `retire ${old.name} (${shortRevision(old.revision)}, epoch ${old.epoch})`,
      facts: { old: old as unknown as Json, before: before as Json },
      changes: [
        { what: `nix/instances.json › ${old.name}`, before: before as Json, after: null },
        { what: `machine of ${old.instance}`, before: "running", after: "stopped and removed" },
      ],
      targets: [{ name: old.name, instance: old.instance, epoch: old.epoch }],
      cost: await planSavings(fleet, 1),
      warnings: [],
    };
  },

  steps: (plan) => {
    const { old, before } = plan.facts as unknown as { old: PlannedInstance; before: DesiredInstance | null };
    return [
      commitDesiredStep({ prefix: "", name: old.name, before, after: null, subject: `Retire ${old.name}` }),
      { ...drainStep({ prefix: "", old }), pivot: true },
      retireStep({ prefix: "", old }),
    ];
  },
});
