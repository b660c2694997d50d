/** How secrets stand in Secrets Manager: their names, and what its descriptions say of them. */
import type { DescribeSecretResponse, SecretListEntry } from "@aws-sdk/client-secrets-manager";
import { ToolError } from "../../errors.ts";
import { type SecretInfo, type SecretRef, secretNameSchema, secretPath } from "../../secrets/secrets.ts";
import { instanceNamePattern } from "../model.ts";
import { fleetTag, fromEc2Tags } from "./tags.ts";

/** The same for every fleet: roles are allowed by it. */
export const secretPrefix = "clawdinator/";

type Described = DescribeSecretResponse | SecretListEntry;

export function secretId(ref: SecretRef): string {
  return `${secretPrefix}${secretPath(ref)}`;
}

/** Null for what is not one of ours, is deleted, or never had a value. */
export function toSecretInfo(described: Described): SecretInfo | null {
  const path = described.Name?.startsWith(secretPrefix) ? described.Name.slice(secretPrefix.length).split("/") : [];
  const name = path.at(-1) ?? "";
  const instance = path.length === 2 ? (path[0] ?? null) : null;
  if (path.length > 2 || !secretNameSchema.safeParse(name).success || described.DeletedDate) return null;
  if (instance !== null && !instanceNamePattern.test(instance)) return null;
  // ListSecrets and DescribeSecret call the same thing by two names.
  const versions =
    ("VersionIdsToStages" in described ? described.VersionIdsToStages : undefined) ??
    ("SecretVersionsToStages" in described ? described.SecretVersionsToStages : undefined) ??
    {};
  const staged = (stage: string): string | null =>
    Object.entries(versions).find(([, stages]) => stages.includes(stage))?.[0] ?? null;
  const version = staged("AWSCURRENT");
  if (version === null) return null;
  return {
    name,
    instance,
    source: "secrets-manager",
    version,
    changedAt: described.LastChangedDate?.getTime() ?? null,
    previous: staged("AWSPREVIOUS"),
  };
}

/** Throws ToolError for one that is being deleted or is another fleet's. */
export function requireOwnSecret(ref: SecretRef, described: DescribeSecretResponse, fleet: string): void {
  if (described.DeletedDate) {
    throw new ToolError(`the secret ${secretId(ref)} is being deleted`, {
      code: "secret_deleted",
      hint: `\`aws secretsmanager restore-secret --secret-id ${secretId(ref)}\` brings it back; then try again`,
    });
  }
  const owner = fromEc2Tags(described.Tags)[fleetTag];
  if (owner === undefined || owner === fleet) return;
  throw new ToolError(`the secret ${secretId(ref)} belongs to the fleet ${owner}, not to ${fleet}`, {
    code: "foreign_secret",
    hint: "compare `aws.fleet` and `aws.region` in the configuration; two fleets of an account share no secrets",
  });
}
