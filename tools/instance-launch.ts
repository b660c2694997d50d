import { z } from "zod";
import { ToolError } from "./errors.ts";
import { type DesiredInstance, instanceNameSchema } from "./fleet/model.ts";
import { nextFreeName, readNames } from "./fleet/names.ts";
import {
  desiredEntry,
  fixRevision,
  imageFacts,
  planImage,
  planLaunches,
  revisionInput,
  shortRevision,
} from "./fleet/plans.ts";
import type { PlannedImage } from "./fleet/services.ts";
import {
  awaitReadyStep,
  buildImageStep,
  commitDesiredStep,
  giveNameStep,
  importImageStep,
  proveCandidateStep,
  startCandidateStep,
} from "./fleet/steps.ts";
import { assignTokenStep, planToken } from "./fleet/tokens.ts";
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
    const entry = desiredEntry(fleet, image.revision, await planToken(fleet.tokens ?? null, { name, desired }));
    const launches = await planLaunches(fleet, 1);
    return {
      summary: `launch ${name} at ${shortRevision(image.revision)}${built ? "" : ", building its image first"}`,
      facts: {
        name,
        image: imageFacts(image),
        epoch: records.find((record) => record.name === name)?.epoch ?? 0,
        before: (desired.instances[name] ?? null) as Json,
        entry: entry as unknown as Json,
        placement: launches.placement,
      },
      changes: [
        {
          what: `nix/instances.json › ${name}`,
          before: (desired.instances[name] ?? null) as Json,
          after: entry as unknown as Json,
        },
        { what: `machine of ${name}`, before: null, after: `${entry.host}/${entry.type} from image ${image.id}` },
      ],
      targets: [{ name, instance: null, epoch: null }],
      cost: launches.cost,
      warnings: [...warnings, ...launches.warnings],
    };
  },

  steps: (plan) => {
    const { name, image, before, entry, placement } = plan.facts as unknown as {
      name: string;
      image: PlannedImage;
      before: DesiredInstance | null;
      entry: DesiredInstance;
      placement: Json;
    };
    return [
      buildImageStep(image),
      importImageStep(image),
      ...(entry.tokenSecret === null ? [] : [assignTokenStep({ name, secret: entry.tokenSecret })]),
      startCandidateStep({ prefix: "", name, image, placement }),
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
