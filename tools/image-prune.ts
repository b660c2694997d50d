import { z } from "zod";
import type { FleetServices, Image } from "./fleet/services.ts";
import { defineOperation } from "./tool.ts";

/** Enough to go back to the last two versions without building. */
const defaultKeep = 3;

export const imagePrune = defineOperation({
  name: "image_prune",
  description:
    "Deletes images that no instance runs and no desired state names, keeping the newest ones for a way back. Its plan lists exactly what goes.",
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
    return {
      summary:
        unused.length === 0
          ? "there is no image to delete"
          : `delete ${unused.length} unused image(s), ${Math.round(bytes / 1e6)} MB`,
      facts: { images: unused.map((image) => ({ id: image.id, revision: image.revision })) },
      changes: unused.map((image) => ({
        what: `image ${image.id}`,
        before: `of ${image.revision.slice(0, 12)}`,
        after: null,
      })),
      targets: [],
      cost: { onceUsd: 0, monthlyUsd: 0, note: "frees disk space" },
      warnings: [],
    };
  },

  steps: (plan) =>
    (plan.facts.images as { id: string }[]).map(({ id }) => ({
      name: `remove/${id}`,
      async run({ fleet }) {
        const stillUnused = (await unusedImages(fleet, 0)).some((image) => image.id === id);
        const exists = (await fleet.provider.listImages()).some((image) => image.id === id);
        if (exists && !stillUnused) return { result: { image: id, removed: false, why: "it came into use" } };
        await fleet.store.delete(`images/${id}`);
        await fleet.provider.removeImage(id);
        return { result: { image: id, removed: true } };
      },
    })),
});

async function unusedImages(fleet: FleetServices, keep: number): Promise<Image[]> {
  const [images, instances, desired] = await Promise.all([
    fleet.provider.listImages(),
    fleet.provider.list(),
    fleet.desired(),
  ]);
  const used = new Set(instances.map((instance) => instance.image));
  const wanted = new Set(Object.values(desired.instances).map((entry) => entry.revision));
  return images
    .sort((a, b) => b.builtAt - a.builtAt)
    .filter((image, index) => index >= keep && !used.has(image.id) && !wanted.has(image.revision));
}
