import { z } from "zod";
import { ToolError } from "./errors.ts";
import type { InstanceStatus } from "./fleet/model.ts";
import { compareNames } from "./fleet/name-order.ts";
import {
  fixRevision,
  imageFacts,
  planImage,
  planLaunches,
  plannedHolder,
  revisionInput,
  shortRevision,
} from "./fleet/plans.ts";
import { type Replacement, replacementChanges, replacementOf, replacementSteps } from "./fleet/replacement.ts";
import type { PlannedImage } from "./fleet/services.ts";
import { buildImageStep, importImageStep } from "./fleet/steps.ts";
import type { Json } from "./json.ts";
import { defineOperation } from "./tool.ts";

function isHolder(instance: InstanceStatus): instance is InstanceStatus & { epoch: number } {
  return instance.epoch !== null;
}

export const fleetRoll = defineOperation({
  name: "fleet_roll",
  description:
    "Brings the fleet to one revision: builds and registers the image, replaces one instance as a canary, then the others one after the other. It stops at the first failure and leaves the rest as they are. An instance that runs from a checkout is left out.",
  input: z.strictObject({ revision: revisionInput }),

  normalize: fixRevision,

  async plan({ fleet }, input) {
    const { image, built, warnings } = await planImage(fleet, input.revision);
    const holders = (await fleet.status()).instances.filter(isHolder);
    const fromCheckout = holders.filter((instance) => instance.image === "checkout");
    const others = holders.filter((instance) => instance.image !== "checkout" && instance.revision !== image.revision);
    // The instance that runs this comes last: the canary must not be the one that watches it.
    const order = others.sort(
      (a, b) =>
        Number(a.instance === fleet.self.instance) - Number(b.instance === fleet.self.instance) ||
        compareNames(a.name, b.name),
    );
    if (order.length === 0) {
      throw new ToolError(`every instance that can be rolled runs ${shortRevision(image.revision)} already`, {
        code: "nothing_to_roll",
        hint:
          fromCheckout.length > 0
            ? `${fromCheckout[0]?.name} runs from a checkout; \`replace ${fromCheckout[0]?.name}\` moves it to an image`
            : "nothing to do",
      });
    }
    const launches = await planLaunches(fleet, 0);
    const desired = await fleet.desired();
    const replacements = order.map((found) => replacementOf(fleet, { old: plannedHolder(found), desired, image }));
    return {
      summary: `roll ${order.map((instance) => instance.name).join(", ")} to ${shortRevision(image.revision)}, ${order[0]?.name} first as the canary${built ? "" : ", building the image first"}`,
      facts: { image: imageFacts(image), replacements: replacements as unknown as Json, placement: launches.placement },
      changes: replacements.flatMap((replacement) => replacementChanges(replacement, image)),
      targets: replacements.map(({ old }) => ({ name: old.name, instance: old.instance, epoch: old.epoch })),
      cost: launches.cost,
      warnings: [
        ...warnings,
        ...launches.warnings,
        ...fromCheckout.map((instance) => `${instance.name} runs from a checkout and is left out`),
      ],
    };
  },

  steps: (plan) => {
    const { image, replacements, placement } = plan.facts as unknown as {
      image: PlannedImage;
      replacements: Replacement[];
      placement: Json;
    };
    return [
      buildImageStep(image),
      importImageStep(image),
      ...replacements.flatMap((replacement) =>
        replacementSteps({ prefix: `${replacement.old.name}/`, replacement, image, placement }),
      ),
    ];
  },
});
