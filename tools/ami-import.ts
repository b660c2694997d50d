import { z } from "zod";
import { fixRevision, imageFacts, planImage, revisionInput, shortRevision } from "./fleet/plans.ts";
import { buildImageStep, importImageStep, type PlannedImage } from "./fleet/steps.ts";
import { defineOperation } from "./tool.ts";

export const amiImport = defineOperation({
  name: "ami_import",
  description:
    "Makes the image of a commit launchable, building it first when needed. On this machine it is registered in the store. Gives the image id.",
  input: z.strictObject({ revision: revisionInput }),

  normalize: fixRevision,

  async plan({ fleet }, input) {
    const { image, built, warnings } = await planImage(fleet, input.revision);
    const registered = (await fleet.store.get(`images/${image.id}`)) !== null;
    return {
      summary: `${built ? "register" : "build and register"} image ${image.id} of ${shortRevision(image.revision)}`,
      facts: { image: imageFacts(image) },
      changes: [
        { what: `image ${image.id}`, before: registered ? "launchable" : built ? "built" : null, after: "launchable" },
      ],
      targets: [],
      cost: { onceUsd: 0, monthlyUsd: 0, note: "disk space on this machine" },
      warnings,
    };
  },

  steps: (plan) => {
    const image = plan.facts.image as unknown as PlannedImage;
    return [buildImageStep(image), importImageStep(image)];
  },
});
