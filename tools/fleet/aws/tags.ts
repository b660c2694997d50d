/**
 * The tags that make a resource this fleet's own. Nothing without them is ever changed, and IAM says the same: the
 * instance role's statements carry the condition `aws:ResourceTag/clawdinator = true`.
 */

/** On everything the program makes; its value is `true`. */
export const ownedTag = "clawdinator";
/** Which fleet of the account it belongs to. */
export const fleetTag = "clawdinator:fleet";
/** Instance: the fleet's own id of it, derived from the step that launched it. */
export const instanceTag = "clawdinator:instance";
/** Instance: the name it is a candidate for. */
export const nameTag = "clawdinator:name";
/** Instance, AMI, snapshot: the content-addressed image id. */
export const imageTag = "clawdinator:image";
/** Instance, AMI, snapshot: the program's commit. */
export const revisionTag = "clawdinator:revision";
/** AMI, snapshot: Nix derivation that the image was built from. */
export const derivationTag = "clawdinator:derivation";
/** AMI, snapshot: hash of the built closure. */
export const closureTag = "clawdinator:closure";
/** Snapshot: token of the step that made it. */
export const tokenTag = "clawdinator:token";
/** Snapshot: size of the disk image in bytes; AMIs carry it too. */
export const bytesTag = "clawdinator:bytes";

export type Tags = Readonly<Record<string, string>>;

/** The tags as EC2 takes them. */
export function toEc2Tags(tags: Tags): { Key: string; Value: string }[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** Tags as EC2 gives them. */
export function fromEc2Tags(tags: { Key?: string | undefined; Value?: string | undefined }[] | undefined): Tags {
  return Object.fromEntries((tags ?? []).map((tag) => [tag.Key ?? "", tag.Value ?? ""]));
}

/** Whether the resource is this fleet's own. */
export function isOwned(tags: Tags, fleet: string): boolean {
  return tags[ownedTag] === "true" && tags[fleetTag] === fleet;
}

/** Tags that every resource of the fleet carries. */
export function ownedBy(fleet: string): Tags {
  return { [ownedTag]: "true", [fleetTag]: fleet };
}

/** EC2 filters for this fleet's resources, with further tags that must match. */
export function ownedFilters(fleet: string, tags: Tags = {}): { Name: string; Values: string[] }[] {
  return Object.entries({ ...ownedBy(fleet), ...tags }).map(([key, value]) => ({
    Name: `tag:${key}`,
    Values: [value],
  }));
}
