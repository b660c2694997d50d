import { z } from "zod";
import { fixRevision, imageFacts, planImage, revisionInput, shortRevision } from "./fleet/plans.ts";
import { type ImportWay, importWays, type PlannedImage } from "./fleet/services.ts";
import { buildImageStep, importImageStep } from "./fleet/steps.ts";
import { defineOperation } from "./tool.ts";

export const amiImport = defineOperation({
  name: "ami_import",
  description:
    "Makes the image of a commit launchable, building it first when needed: on AWS as an AMI with its snapshot, on this machine by a record. The same closure is imported once. Gives the image id. On AWS the snapshot costs storage.",
  input: z.strictObject({
    revision: revisionInput,
    via: z
      .enum(importWays)
      .optional()
      .describe("how a disk image becomes an AMI; default: `aws.importWay` of the configuration"),
  }),

  normalize: fixRevision,

  async plan({ fleet }, input) {
    const { image, built, warnings } = await planImage(fleet, input.revision);
    const registered = (await fleet.store.get(`images/${image.id}`)) !== null;
    return {
      summary: `${built ? "register" : "build and register"} image ${image.id} of ${shortRevision(image.revision)}`,
      facts: { image: imageFacts(image), via: input.via ?? null },
      changes: [
        { what: `image ${image.id}`, before: registered ? "launchable" : built ? "built" : null, after: "launchable" },
      ],
      targets: [],
      cost: fleet.provider.imageCost(built?.bytes ?? null),
      warnings,
    };
  },

  steps: (plan) => {
    const { image, via } = plan.facts as unknown as { image: PlannedImage; via: ImportWay | null };
    return [buildImageStep(image), importImageStep(image, via)];
  },
});
