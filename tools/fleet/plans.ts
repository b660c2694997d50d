/** What fleet plans have in common: which image, which instance, what it costs. They look and change nothing. */
import { z } from "zod";
import { ToolError } from "../errors.ts";
import type { Json } from "../json.ts";
import type { PlanContext, PlanDraft } from "../tool.ts";
import type { DesiredInstance, InstanceStatus } from "./model.ts";
import { readName, readNames } from "./names.ts";
import type { FleetServices, Image, PlannedImage } from "./services.ts";
import type { PlannedInstance } from "./steps.ts";

/** A commit as people write it: a branch, `HEAD`, a tag, a full or short id. */
export const revisionInput = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/, "a revision is a commit id, branch or tag")
  .optional()
  .describe("commit, branch or tag of the program; default: the commit that this instance runs");

export interface ImagePlan {
  image: PlannedImage;
  /** Null where it must be built first. */
  built: Image | null;
  warnings: string[];
}

/**
 * The image of a revision, derived without building it; without a revision, of the commit that runs here. Throws
 * ToolError where it would have to be built and cannot be built here.
 */
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
  const { id, digest, built } = derivation;
  const image: PlannedImage = { revision: commit, id, digest, derivation: derivation.derivation };
  if (!built) warnings.push(...(await provider.checkBuild(image)).needs);
  return { image, built, warnings };
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

/** The entry of `nix/instances.json` for an instance of this provider. */
export function desiredEntry(
  fleet: FleetServices,
  revision: string,
  tokenSecret: string | null = null,
): DesiredInstance {
  return { host: fleet.provider.kind, type: fleet.provider.instanceType, revision, tokenSecret };
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
  const found = (await fleet.status()).instances.find((one) => one.name === name && one.epoch === record.epoch);
  return plannedInstance({ name, instance: record.holder, epoch: record.epoch, found });
}

/** A holder that `fleet.status()` showed; for plans about many, which look once. */
export function plannedHolder(found: InstanceStatus & { epoch: number }): PlannedInstance {
  const { name, instance, epoch } = found;
  return plannedInstance({ name, instance, epoch, found });
}

function plannedInstance(options: {
  name: string;
  instance: string;
  epoch: number;
  found: InstanceStatus | undefined;
}): PlannedInstance {
  const { found, ...holder } = options;
  return { ...holder, image: found?.image || "unknown", revision: found?.revision || "unknown" };
}

export interface PlannedLaunches {
  /** Bound by the plan, for `startCandidateStep`. */
  placement: Json;
  cost: PlanDraft["cost"];
  warnings: string[];
}

/**
 * What `more` instances cost and need; 0 for a replacement, which runs one more only for a while. Throws ToolError where
 * they cannot be launched, or would cost more a month than policy allows.
 */
export async function planLaunches(fleet: FleetServices, more: number): Promise<PlannedLaunches> {
  const { placement, monthlyUsd, currentMonthlyUsd, note, warnings } = await fleet.provider.planLaunch();
  const budget = await fleet.monthlyBudgetUsd();
  const after = currentMonthlyUsd + more * monthlyUsd;
  if (more > 0 && budget !== null && after > budget) {
    throw new ToolError(
      `it would cost ${formatUsd(after)} a month and policy allows ${formatUsd(budget)}: the fleet costs ${formatUsd(currentMonthlyUsd)} now and each instance ${formatUsd(monthlyUsd)}`,
      {
        code: "over_budget",
        hint: "retire an instance, take a smaller type, or propose a policy_change that raises budgets.usdPerMonth",
      },
    );
  }
  return { placement, cost: { onceUsd: 0, monthlyUsd: more * monthlyUsd, note }, warnings };
}

/** What a retirement saves a month. */
export async function planSavings(fleet: FleetServices, fewer: number): Promise<PlanDraft["cost"]> {
  const { monthlyUsd, note } = await fleet.provider.planLaunch();
  return { onceUsd: 0, monthlyUsd: -fewer * monthlyUsd, note };
}

function formatUsd(usd: number): string {
  return `$${usd.toFixed(2)}`;
}

export function shortRevision(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 12) : revision;
}
