/** What the tags of an AMI say of the images it serves: the one it was made from, and others with the same closure. */
import type { Image } from "../../services.ts";
import { bytesTag, closureTag, derivationTag, imageTag, revisionTag } from "../tags.ts";
import type { Ami } from "./ami.ts";
import { imageIdPattern } from "./image-records.ts";

/**
 * AMI: a further image that came out as the same closure; followed by its id. The value is its revision and derivation.
 * EC2 allows 50 tags on a resource, and images that differ in derivation alone are few.
 */
export const aliasTagPrefix = `${imageTag}:`;
/** Snapshot: token of the step that made it (`clawdinator:token` is the upload's own). */
export const stepTag = "clawdinator:step";
/** AMI: `ImageTarget.recipe` that the image was built by. */
export const recipeTag = "clawdinator:recipe";

export interface ServedImage {
  id: string;
  revision: string;
  derivation: string;
  isAlias: boolean;
}

/** The image it was made from first; empty where the tags are not those of an image. */
export function servedBy(ami: Pick<Ami, "tags">): ServedImage[] {
  const { [imageTag]: id = "", [revisionTag]: revision = "", [derivationTag]: derivation = "" } = ami.tags;
  if (!imageIdPattern.test(id)) return [];
  const aliases = Object.entries(ami.tags).flatMap(([key, value]) => {
    if (!key.startsWith(aliasTagPrefix)) return [];
    const [aliasRevision = "", aliasDerivation = ""] = value.split(" ");
    return [
      { id: key.slice(aliasTagPrefix.length), revision: aliasRevision, derivation: aliasDerivation, isAlias: true },
    ];
  });
  return [{ id, revision, derivation, isAlias: false }, ...aliases.filter((alias) => imageIdPattern.test(alias.id))];
}

export function aliasTag(image: { id: string; revision: string; derivation: string }): Record<string, string> {
  return { [aliasTagPrefix + image.id]: `${image.revision} ${image.derivation}` };
}

export function isLaunchable(ami: Ami): boolean {
  return ami.state !== "failed";
}

/** The AMI that an image is launched from: made from it, or of the same closure. */
export function findAmiOf(amis: Ami[], id: string): Ami | null {
  return amis.find((ami) => isLaunchable(ami) && servedBy(ami).some((image) => image.id === id)) ?? null;
}

export function toImage(ami: Ami, served: ServedImage, digest: string): Image {
  return {
    revision: served.revision,
    id: served.id,
    digest,
    derivation: served.derivation,
    path: "",
    bytes: Number(ami.tags[bytesTag] ?? 0) || 0,
    builtAt: ami.createdAt,
    closure: ami.tags[closureTag] ?? null,
    ami: ami.ami,
    snapshot: ami.snapshots[0] ?? null,
  };
}
