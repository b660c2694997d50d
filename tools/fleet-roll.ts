import { z } from "zod";
import { ToolError } from "./errors.ts";
import { compareNames } from "./fleet/model.ts";
import { costOf, fixRevision, imageFacts, planImage, revisionInput, shortRevision } from "./fleet/plans.ts";
import { planReplacement, type Replacement, replacementChanges, replacementSteps } from "./fleet/replacement.ts";
import { buildImageStep, importImageStep, type PlannedImage } from "./fleet/steps.ts";
import type { Json } from "./json.ts";
import { defineOperation } from "./tool.ts";

export const fleetRoll = defineOperation({
  name: "fleet_roll",
  description:
    "Brings the fleet to one revision: builds and registers the image, replaces one instance as a canary, then the others one after the other. It stops at the first failure and leaves the rest as they are. An instance that runs from a checkout is left out.",
  input: z.strictObject({ revision: revisionInput }),

  normalize: fixRevision,

  async plan({ fleet }, input) {
    const { image, built, warnings } = await planImage(fleet, input.revision);
    const holders = (await fleet.status()).instances.filter((instance) => instance.epoch !== null);
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
    const replacements: Replacement[] = [];
    for (const { name } of order) replacements.push(await planReplacement(fleet, name, image));
    return {
      summary: `roll ${order.map((instance) => instance.name).join(", ")} to ${shortRevision(image.revision)}, ${order[0]?.name} first as the canary${built ? "" : ", building the image first"}`,
      facts: { image: imageFacts(image), replacements: replacements as unknown as Json },
      changes: replacements.flatMap((replacement) => replacementChanges(replacement, image)),
      targets: replacements.map(({ old }) => ({ name: old.name, instance: old.instance, epoch: old.epoch })),
      cost: costOf(fleet, 0),
      warnings: [
        ...warnings,
        ...fromCheckout.map((instance) => `${instance.name} runs from a checkout and is left out`),
      ],
    };
  },

  steps: (plan) => {
    const { image, replacements } = plan.facts as unknown as { image: PlannedImage; replacements: Replacement[] };
    return [
      buildImageStep(image),
      importImageStep(image),
      ...replacements.flatMap((replacement) => replacementSteps(`${replacement.old.name}/`, replacement, image)),
    ];
  },
});
