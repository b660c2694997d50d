/** What exactly one first start makes: the fleet repository, its policy pin, the first maintainer. Each part is idempotent. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeFirstDesired } from "../../tools/fleet/desired.ts";
import { desiredStateSchema } from "../../tools/fleet/model.ts";
import { createFleetRepository } from "../../tools/fleet/repository.ts";
import type { FleetRepository } from "../../tools/fleet/services.ts";
import { pinFirstPolicy } from "../../tools/policy-pin.ts";
import type { Store } from "../../tools/store.ts";
import { readCredentials, writeCredentials } from "../credentials.ts";
import type { FleetPaths } from "../paths.ts";
import type { AuditLog } from "./audit.ts";
import { programRoot } from "./identity.ts";
import type { Maintainers } from "./maintainers.ts";

/** Makes the fleet repository with one instance that runs from the checkout, and puts its policy in force. */
export async function ensureFleet(options: {
  store: Store;
  /** Path of the fleet repository, made when it is missing; an address is one that exists. */
  fleetRepository: string;
  repository: FleetRepository;
  name: string;
  author: { name: string; email: string };
}): Promise<void> {
  const { store, fleetRepository, repository } = options;
  const [desired, pin] = [await store.get("fleet/desired"), await store.get("policy/pin")];
  const isRemote = /^[a-z+]+:\/\/|^[^/]+@[^/]+:/.test(fleetRepository);
  if (desired && pin && (isRemote || existsSync(fleetRepository))) return;
  const entry = { host: "local", type: "process", revision: "checkout", tokenSecret: null };
  const instances = JSON.stringify({ [options.name]: entry }, null, 2).replaceAll("\n", "\n  ");
  const made = isRemote
    ? { created: false as const }
    : await createFleetRepository({
        directory: fleetRepository,
        template: join(programRoot, "nix", "templates", "fleet"),
        replacements: { '"instances": {}': `"instances": ${instances}` },
        author: options.author,
      });
  const commit = made.created ? made.commit : await repository.tip();
  const policyText = made.created ? made.files["policy.json"] : await repository.policyTextAt(commit);
  const state = made.created
    ? desiredStateSchema.parse(JSON.parse(made.files["nix/instances.json"] ?? ""))
    : await repository.desiredAt(commit);
  await pinFirstPolicy(store, { commit, text: policyText ?? "" });
  await writeFirstDesired(store, { commit, state });
}

/**
 * The first maintainer, whose token is kept for this user's command line. Returns that token when this user has one:
 * it makes the login link. A crash between the two writes is mended by a new token for the same person.
 */
export async function ensureFirstMaintainer(options: {
  maintainers: Maintainers;
  paths: FleetPaths;
  name: string;
  audit: AuditLog;
  instance: string;
}): Promise<string | null> {
  const { maintainers, paths } = options;
  const known = await maintainers.list();
  const credentials = readCredentials(paths.credentials);
  if (credentials) return credentials.token;
  const [first] = known;
  if (known.length > 1 || (first && first.id !== "1")) return null;
  const { maintainer, token } = first ? await maintainers.renewToken(first.id) : await maintainers.add(options.name);
  writeCredentials(paths.credentials, { maintainer: maintainer.id, token });
  await options.audit.write({
    action: "maintainer.added",
    actor: `instance:${options.instance}`,
    surface: options.instance,
    subject: `maintainer/${maintainer.id}`,
    detail: `${maintainer.name}, the first maintainer`,
  });
  return token;
}
