import { z } from "zod";
import { readDesired } from "./fleet/desired.ts";
import { shortRevision } from "./fleet/plans.ts";
import type { FleetServices, Image } from "./fleet/services.ts";
import { defineOperation, type Step } from "./tool.ts";

/** Enough to go back to the last two versions without building. */
const defaultKeep = 3;

/** What a plan says of an image that goes: everything of it goes together. */
interface Doomed {
  id: string;
  revision: string;
  ami: string | null;
  snapshot: string | null;
}

export const imagePrune = defineOperation({
  name: "image_prune",
  description:
    "Deletes images that no instance runs, no desired state names and no instance ran just before, keeping the newest ones besides. Its plan lists exactly what goes; an AMI goes with its snapshot and its object.",
  input: z.strictObject({
    keep: z
      .number()
      .int()
      .min(0)
      .max(100)
      .optional()
      .describe(`newest images to keep besides those in use; default ${defaultKeep}`),
  }),

  async plan({ fleet }, input) {
    const unused = await unusedImages(fleet, input.keep ?? defaultKeep);
    const bytes = unused.reduce((sum, image) => sum + image.bytes, 0);
    const { monthlyUsd, note } = fleet.provider.imageCost(bytes);
    return {
      summary:
        unused.length === 0
          ? "there is no image to delete"
          : `delete ${unused.length} unused image(s), ${Math.round(bytes / 1e6)} MB`,
      facts: { images: unused.map(({ id, revision, ami, snapshot }) => ({ id, revision, ami, snapshot })) },
      changes: unused.map((image) => ({
        what: ["image", image.id, image.ami, image.snapshot].filter((part) => part !== null).join(" "),
        before: `of ${shortRevision(image.revision)}`,
        after: null,
      })),
      targets: [],
      cost: { onceUsd: 0, monthlyUsd: monthlyUsd === 0 ? 0 : -monthlyUsd, note },
      warnings: [],
    };
  },

  steps: (plan) => (plan.facts.images as unknown as Doomed[]).map(removeStep),
});

function removeStep({ id }: Doomed): Step {
  return {
    name: `remove/${id}`,
    async run({ fleet }) {
      const stillUnused = (await unusedImages(fleet, 0)).some((image) => image.id === id);
      const exists = (await fleet.provider.listImages()).some((image) => image.id === id);
      if (exists && !stillUnused) return { result: { image: id, removed: false, why: "it came into use" } };
      // What a killed attempt left of it (an object whose AMI is gone) goes too, so it is removed even when unlisted.
      await fleet.provider.removeImage(id);
      await fleet.store.delete(`images/${id}`);
      return { result: { image: id, removed: true } };
    },
  };
}

async function unusedImages(fleet: FleetServices, keep: number): Promise<Image[]> {
  const [images, instances, desired] = await Promise.all([
    fleet.provider.listImages(),
    fleet.provider.list(),
    readDesired(fleet.store),
  ]);
  const used = new Set(instances.map((instance) => instance.image));
  const wanted = new Set([
    ...Object.values(desired.state.instances).map((entry) => entry.revision),
    ...Object.values(desired.previous),
  ]);
  return images
    .sort((a, b) => b.builtAt - a.builtAt)
    .filter((image, index) => index >= keep && !used.has(image.id) && !wanted.has(image.revision));
}
