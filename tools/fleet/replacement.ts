/** Replacing one holder of a name by a candidate: used for one instance, and for each in a roll. */
import type { Json } from "../json.ts";
import type { PlanChange, Step } from "../tool.ts";
import type { DesiredInstance, DesiredState } from "./model.ts";
import { desiredEntry, planHolder, shortRevision } from "./plans.ts";
import type { FleetServices, PlannedImage } from "./services.ts";
import {
  awaitReadyStep,
  commitDesiredStep,
  drainStep,
  giveNameStep,
  type PlannedInstance,
  proveCandidateStep,
  retireStep,
  startCandidateStep,
} from "./steps.ts";

export interface Replacement {
  old: PlannedInstance;
  before: DesiredInstance | null;
  entry: DesiredInstance;
}

export async function planReplacement(fleet: FleetServices, name: string, image: PlannedImage): Promise<Replacement> {
  return replacementOf(fleet, { old: await planHolder(fleet, name), desired: await fleet.desired(), image });
}

/** The same from what was read already. */
export function replacementOf(
  fleet: FleetServices,
  { old, desired, image }: { old: PlannedInstance; desired: DesiredState; image: PlannedImage },
): Replacement {
  const before = desired.instances[old.name] ?? null;
  const entry = { ...(before ?? desiredEntry(fleet, image.revision)), revision: image.revision };
  return { old, before, entry };
}

export function replacementChanges(replacement: Replacement, image: PlannedImage): PlanChange[] {
  const { old, before, entry } = replacement;
  return [
    { what: `nix/instances.json › ${old.name}`, before: before as Json, after: entry as unknown as Json },
    { what: `${old.name} › image`, before: old.image, after: image.id },
    { what: `${old.name} › epoch`, before: old.epoch, after: old.epoch + 1 },
    { what: `machine of ${old.instance}`, before: "running", after: "stopped and removed" },
  ];
}

/** Candidate, proof, commit, drain, handover, retirement: the old one keeps its name until the new one has proved itself. */
export function replacementSteps(options: {
  prefix: string;
  replacement: Replacement;
  image: PlannedImage;
  placement: Json;
}): Step[] {
  const { prefix, image, placement } = options;
  const { old, before, entry } = options.replacement;
  const { name } = old;
  return [
    startCandidateStep({ prefix, name, image, placement }),
    proveCandidateStep({ prefix, name, image }),
    commitDesiredStep({
      prefix,
      name,
      before,
      after: entry,
      subject: `Replace ${name} at ${shortRevision(image.revision)}`,
    }),
    drainStep({ prefix, old }),
    giveNameStep({ prefix, name }),
    awaitReadyStep({ prefix, name }),
    retireStep({ prefix, old }),
  ];
}
