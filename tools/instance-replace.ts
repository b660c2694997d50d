import { z } from "zod";
import { instanceNameSchema } from "./fleet/model.ts";
import { fixRevision, imageFacts, planImage, planLaunches, revisionInput, shortRevision } from "./fleet/plans.ts";
import { planReplacement, type Replacement, replacementChanges, replacementSteps } from "./fleet/replacement.ts";
import type { PlannedImage } from "./fleet/services.ts";
import { buildImageStep, importImageStep } from "./fleet/steps.ts";
import type { Json } from "./json.ts";
import { defineOperation } from "./tool.ts";

export const instanceReplace = defineOperation({
  name: "instance_replace",
  description:
    "Replaces an instance by a fresh one under the same name: the new one proves itself first, then the old one finishes its runs, hands over and is removed. Memory and conversations stay. A candidate that fails is removed and the old instance keeps the name.",
  input: z.strictObject({
    name: instanceNameSchema.describe("the instance to replace"),
    revision: revisionInput.describe("commit, branch or tag of the program; default: the one that the instance runs"),
  }),

  async normalize(context, input) {
    const desired = (await context.fleet.desired()).instances[input.name]?.revision;
    return fixRevision(context, {
      ...input,
      revision: input.revision ?? (desired === "checkout" ? undefined : desired),
    });
  },

  async plan({ fleet }, input) {
    const { image, built, warnings } = await planImage(fleet, input.revision);
    const replacement = await planReplacement(fleet, input.name, image);
    const launches = await planLaunches(fleet, 0);
    const { old } = replacement;
    const fromCheckout =
      old.image === "checkout"
        ? [`${old.name} runs from a checkout; afterwards it runs from image ${image.id} in the background`]
        : [];
    return {
      summary: `replace ${old.name} (${shortRevision(old.revision)}, epoch ${old.epoch}) by a fresh instance at ${shortRevision(image.revision)}${built ? "" : ", building its image first"}`,
      facts: { image: imageFacts(image), replacement: replacement as unknown as Json, placement: launches.placement },
      changes: replacementChanges(replacement, image),
      targets: [{ name: old.name, instance: old.instance, epoch: old.epoch }],
      cost: launches.cost,
      warnings: [...warnings, ...launches.warnings, ...fromCheckout],
    };
  },

  steps: (plan) => {
    const { image, replacement, placement } = plan.facts as unknown as {
      image: PlannedImage;
      replacement: Replacement;
      placement: Json;
    };
    return [
      buildImageStep(image),
      importImageStep(image),
      ...replacementSteps({ prefix: "", replacement, image, placement }),
    ];
  },
});
