import { z } from "zod";
import { fixRevision, imageFacts, planImage, revisionInput, shortRevision } from "./fleet/plans.ts";
import type { PlannedImage } from "./fleet/services.ts";
import { buildImageStep } from "./fleet/steps.ts";
import { defineOperation } from "./tool.ts";

export const imageBuild = defineOperation({
  name: "image_build",
  description:
    "Builds the program's image at a commit: content-addressed, a raw disk image where instances are machines, else a tree of that commit with its dependencies. Use it to prepare a launch. Gives the image id. Costs disk space only; the same commit is built once.",
  input: z.strictObject({ revision: revisionInput }),

  normalize: fixRevision,

  async plan({ fleet }, input) {
    const { image, built, warnings } = await planImage(fleet, input.revision);
    return {
      summary: built
        ? `image ${image.id} of ${shortRevision(image.revision)} exists; check it`
        : `build image ${image.id} of ${shortRevision(image.revision)}`,
      facts: { image: imageFacts(image) },
      changes: [{ what: `image ${image.id}`, before: built ? "built" : null, after: "built" }],
      targets: [],
      cost: { onceUsd: 0, monthlyUsd: 0, note: "disk space on this machine" },
      warnings,
    };
  },

  steps: (plan) => [buildImageStep(plan.facts.image as unknown as PlannedImage)],
});
