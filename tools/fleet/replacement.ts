/** Replacing one holder of a name by a candidate: used for one instance, and for each in a roll. */
import type { Json } from "../json.ts";
import type { PlanChange, Step } from "../tool.ts";
import type { DesiredInstance } from "./model.ts";
import { desiredEntry, planHolder, shortRevision } from "./plans.ts";
import type { FleetServices } from "./services.ts";
import {
  awaitReadyStep,
  commitDesiredStep,
  drainStep,
  giveNameStep,
  type PlannedImage,
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
  const old = await planHolder(fleet, name);
  const before = (await fleet.desired()).instances[name] ?? null;
  const entry = { ...(before ?? desiredEntry(fleet, image.revision)), revision: image.revision };
  return { old, before, entry };
}

export function replacementChanges(replacement: Replacement, image: PlannedImage): PlanChange[] {
  const { old, before, entry } = replacement;
  return [
    { what: `nix/instances.json › ${old.name}`, before: before as Json, after: entry as unknown as Json },
    { what: `${old.name} › image`, before: old.image, after: image.id },
    { what: `${old.name} › epoch`, before: old.epoch, after: old.epoch + 1 },
    { what: `processes of ${old.instance}`, before: "running", after: "stopped and removed" },
  ];
}

/** Candidate, proof, commit, drain, handover, retirement: the old one keeps its name until the new one has proved itself. */
export function replacementSteps(prefix: string, replacement: Replacement, image: PlannedImage): Step[] {
  const { old, before, entry } = replacement;
  const { name } = old;
  return [
    startCandidateStep({ prefix, name, image }),
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
