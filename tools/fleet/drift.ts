/** The difference between what is wanted and what is there. Pure, apart from what it is given to read with. */
import { canonicalJson, type Json } from "../json.ts";
import { parsePolicy, policyDigest } from "../policy.ts";
import type { DesiredState, DriftItem, FleetStatus } from "./model.ts";
import { compareNames } from "./name-order.ts";
import type { FleetRepository } from "./services.ts";

/** What this provider makes of an entry: where its instances live, and the image of each desired revision it knows. */
export interface ProviderFacts {
  host: string;
  type: string;
  images: ReadonlyMap<string, string>;
}

/** Instances against the desired state. One that runs from a checkout follows its working tree and has no revision. */
export function findInstanceDrift(desired: DesiredState, status: FleetStatus, provider: ProviderFacts): DriftItem[] {
  const items: DriftItem[] = [];
  const holders = status.instances.filter((instance) => instance.epoch !== null);
  for (const [name, entry] of Object.entries(desired.instances).sort(([a], [b]) => compareNames(a, b))) {
    const instance = holders.find((one) => one.name === name);
    if (!instance) {
      items.push({
        kind: "missing",
        name,
        detail: `${name} is wanted at ${short(entry.revision)} and nothing holds that name`,
      });
      continue;
    }
    if (instance.state === "lost") {
      items.push({ kind: "missing", name, detail: `${name} (${instance.instance}) fell silent` });
      continue;
    }
    const actual = instance.image === "checkout" ? "checkout" : instance.revision;
    if (actual !== entry.revision) {
      items.push({
        kind: "wrong_revision",
        name,
        desired: entry.revision,
        actual,
        detail: `${name} runs ${short(actual)} and should run ${short(entry.revision)}`,
      });
    }
    const image = provider.images.get(entry.revision);
    if (actual === entry.revision && image !== undefined && instance.image !== image) {
      items.push({
        kind: "wrong_image",
        name,
        desired: image,
        actual: instance.image,
        detail: `${name} runs image ${instance.image}, and ${short(entry.revision)} makes ${image}`,
      });
    }
    const actualType = instance.image === "checkout" ? "local/process" : `${provider.host}/${provider.type}`;
    const [wanted, there] = [`${entry.host}/${entry.type}`, actualType];
    if (wanted !== there) {
      items.push({
        kind: "wrong_type",
        name,
        desired: wanted,
        actual: there,
        detail: `${name} is ${there} and should be ${wanted}`,
      });
    }
  }
  for (const instance of holders) {
    if (desired.instances[instance.name]) continue;
    items.push({
      kind: "unknown",
      name: instance.name,
      detail: `${instance.name} (${instance.instance}) runs and is not wanted`,
    });
  }
  return items;
}

/** Entries and policy in the fleet repository that no approved operation wrote. */
export async function findRepositoryDrift(options: {
  repository: FleetRepository;
  desired: DesiredState;
  policyText: string;
}): Promise<DriftItem[]> {
  const { repository, desired } = options;
  const commit = await repository.tip();
  const items: DriftItem[] = [];
  const wanted = await repository.desiredAt(commit).catch((error: Error) => {
    items.push({ kind: "unapproved_commit", name: null, commit, detail: error.message });
    return desired;
  });
  const names = new Set([...Object.keys(desired.instances), ...Object.keys(wanted.instances)]);
  for (const name of [...names].sort(compareNames)) {
    const approved = desired.instances[name];
    const found = wanted.instances[name];
    if (canonicalJson((approved ?? null) as Json) === canonicalJson((found ?? null) as Json)) continue;
    const what = !approved ? "adds" : !found ? "removes" : "changes";
    items.push({
      kind: "unapproved_commit",
      name,
      commit,
      detail: `commit ${short(commit)} ${what} ${name}, and no approved operation did`,
    });
  }
  const policyText = await repository.policyTextAt(commit).catch(() => null);
  const problem = policyText === null ? null : policyProblem(policyText, options.policyText);
  if (problem !== null) {
    const detail = `commit ${short(commit)} changes policy.json, and no approved operation did${problem}`;
    items.push({ kind: "unapproved_commit", name: null, commit, detail });
  }
  return items;
}

/** Null when both mean the same policy; else what is wrong with the found one, empty when it is a valid other one. */
function policyProblem(found: string, inForce: string): string | null {
  try {
    return policyDigest(parsePolicy(found, "policy.json")) === policyDigest(parsePolicy(inForce, "the policy in force"))
      ? null
      : "";
  } catch (error) {
    return `; ${(error as Error).message}`;
  }
}

function short(revision: string): string {
  return /^[0-9a-f]{40}$/.test(revision) ? revision.slice(0, 12) : revision;
}
