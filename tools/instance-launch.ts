import { z } from "zod";
import { ToolError } from "./errors.ts";
import { type DesiredInstance, instanceNameSchema } from "./fleet/model.ts";
import { nextFreeName, readNames } from "./fleet/names.ts";
import {
  costOf,
  desiredEntry,
  fixRevision,
  imageFacts,
  planImage,
  revisionInput,
  shortRevision,
} from "./fleet/plans.ts";
import {
  awaitReadyStep,
  buildImageStep,
  commitDesiredStep,
  giveNameStep,
  importImageStep,
  type PlannedImage,
  proveCandidateStep,
  startCandidateStep,
} from "./fleet/steps.ts";
import type { Json } from "./json.ts";
import { defineOperation } from "./tool.ts";

export const instanceLaunch = defineOperation({
  name: "instance_launch",
  description:
    "Launches one more CLAWDINATOR, a sibling with its own mind: builds and registers the image when there is none, starts a candidate, and gives it its name once it has proved itself. Costs what the provider charges for an instance.",
  input: z.strictObject({
    name: instanceNameSchema.optional().describe("default: the lowest free CLAWDINATOR-n"),
    revision: revisionInput,
  }),

  normalize: fixRevision,

  async plan({ fleet }, input) {
    const records = await readNames(fleet.store);
    const held = records.filter((record) => record.holder !== null).map((record) => record.name);
    const desired = await fleet.desired();
    const wanted = Object.keys(desired.instances);
    const name = input.name ?? nextFreeName([...held, ...wanted]);
    if (held.includes(name)) {
      throw new ToolError(`${name} runs already`, {
        code: "name_held",
        hint: `replace it with \`replace ${name}\`, or launch ${nextFreeName([...held, ...wanted])}`,
      });
    }
    const { image, built, warnings } = await planImage(fleet, input.revision);
    const entry = desiredEntry(fleet, image.revision);
    return {
      summary: `launch ${name} at ${shortRevision(image.revision)}${built ? "" : ", building its image first"}`,
      facts: {
        name,
        image: imageFacts(image),
        epoch: records.find((record) => record.name === name)?.epoch ?? 0,
        before: (desired.instances[name] ?? null) as Json,
        entry: entry as unknown as Json,
      },
      changes: [
        {
          what: `nix/instances.json › ${name}`,
          before: (desired.instances[name] ?? null) as Json,
          after: entry as unknown as Json,
        },
        { what: `processes of ${name}`, before: null, after: `gateway and mind from image ${image.id}` },
      ],
      targets: [{ name, instance: null, epoch: null }],
      cost: costOf(fleet, 1),
      warnings,
    };
  },

  steps: (plan) => {
    const { name, image, before, entry } = plan.facts as unknown as {
      name: string;
      image: PlannedImage;
      before: DesiredInstance | null;
      entry: DesiredInstance;
    };
    return [
      buildImageStep(image),
      importImageStep(image),
      startCandidateStep({ prefix: "", name, image }),
      proveCandidateStep({ prefix: "", name, image }),
      commitDesiredStep({
        prefix: "",
        name,
        before,
        after: entry,
        subject: `Launch ${name} at ${shortRevision(image.revision)}`,
      }),
      giveNameStep({ prefix: "", name }),
      awaitReadyStep({ prefix: "", name }),
    ];
  },
});
