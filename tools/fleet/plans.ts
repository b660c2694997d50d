/** What fleet plans have in common: which image, which instance, what it costs. They look and change nothing. */
import { z } from "zod";
import { ToolError } from "../errors.ts";
import type { Json } from "../json.ts";
import type { PlanContext } from "../tool.ts";
import type { DesiredInstance } from "./model.ts";
import { readName, readNames } from "./names.ts";
import type { FleetServices } from "./services.ts";
import type { PlannedImage, PlannedInstance } from "./steps.ts";

/** A commit as people write it: a branch, `HEAD`, a tag, a full or short id. */
export const revisionInput = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/, "a revision is a commit id, branch or tag")
  .optional()
  .describe("commit, branch or tag of the program; default: the commit that this instance runs");

export interface ImagePlan {
  image: PlannedImage;
  built: boolean;
  warnings: string[];
}

/** The image of a revision, derived without building it; without a revision, of the commit that runs here. */
export async function planImage(fleet: FleetServices, revision: string | undefined): Promise<ImagePlan> {
  const { provider, self } = fleet;
  const commit = await provider.resolveRevision(revision ?? self.revision);
  const derivation = await provider.deriveImage(commit);
  const warnings =
    self.dirty && commit === self.revision
      ? [
          `the checkout of ${self.name} has uncommitted changes; the image is built from commit ${commit.slice(0, 12)} without them`,
        ]
      : [];
  return {
    image: { revision: commit, id: derivation.id, digest: derivation.digest },
    built: derivation.built !== null,
    warnings,
  };
}

/**
 * The commit that a request means, fixed when it is proposed: which instance carries it out, and where a branch points
 * by then, must not change what was approved.
 */
export async function fixRevision<Input extends { revision?: string | undefined }>(
  { fleet }: PlanContext,
  input: Input,
): Promise<Input> {
  return { ...input, revision: await fleet.provider.resolveRevision(input.revision ?? fleet.self.revision) };
}

export function imageFacts(image: PlannedImage): Json {
  return { ...image };
}

/** What an instance of the local provider is: a pair of processes. */
export const instanceType = "process";

/** The entry of `nix/instances.json` for an instance of this provider. */
export function desiredEntry(fleet: FleetServices, revision: string): DesiredInstance {
  return { host: fleet.provider.kind, type: instanceType, revision, tokenSecret: null };
}

/** The holder of a name, as facts; throws when nobody holds it. */
export async function planHolder(fleet: FleetServices, name: string): Promise<PlannedInstance> {
  const record = await readName(fleet.store, name);
  if (!record || record.holder === null) {
    const names = (await readNames(fleet.store)).filter((one) => one.holder !== null).map((one) => one.name);
    throw new ToolError(`there is no instance ${name}`, {
      code: "unknown_instance",
      hint: `running: ${names.join(", ") || "none"}`,
    });
  }
  const status = (await fleet.status()).instances.find((one) => one.name === name && one.epoch === record.epoch);
  return {
    name,
    instance: record.holder,
    epoch: record.epoch,
    image: status?.image || "unknown",
    revision: status?.revision || "unknown",
  };
}

export function costOf(fleet: FleetServices, instances: number): { onceUsd: number; monthlyUsd: number; note: string } {
  const { monthlyUsd, note } = fleet.provider.cost();
  return { onceUsd: 0, monthlyUsd: monthlyUsd * instances, note };
}

export function shortRevision(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 12) : revision;
}
