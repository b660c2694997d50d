/** Removes all of an image together: its object, what was built here, its AMI, its snapshots. */
import { ToolError } from "../../../errors.ts";
import type { AwsClients } from "../clients.ts";
import { poll } from "../poll.ts";
import type { AwsSettings } from "../settings.ts";
import { imageTag } from "../tags.ts";
import type { Amis } from "./ami.ts";
import { aliasTagPrefix, servedBy } from "./ami-images.ts";
import { imageObject, removeImageObject } from "./image-object.ts";
import type { ImageRecords } from "./image-records.ts";
import type { Nix } from "./nix.ts";

/**
 * Idempotent, also after a kill in the middle: each part is found by the image's own id or tag, not by way of another
 * part that may be gone. Throws ToolError `image_in_use` while an instance is made from it, or from an image that has the
 * same AMI.
 */
export async function removeImage(
  services: {
    settings: AwsSettings;
    clients: AwsClients;
    records: ImageRecords;
    amis: Amis;
    nix: Nix;
    /** Image ids and AMI ids of instances. */
    users: ReadonlySet<string>;
  },
  id: string,
): Promise<void> {
  const { settings, amis, records, users } = services;
  const serving = (await amis.all()).filter((ami) => servedBy(ami).some((image) => image.id === id));
  for (const ami of serving) {
    const own = servedBy(ami).find((image) => image.id === id);
    const needed = own?.isAlias ? [id] : [ami.ami, ...servedBy(ami).map((image) => image.id)];
    if (needed.some((name) => users.has(name))) throw inUse(id);
  }
  if (users.has(id)) throw inUse(id);

  await removeImageObject(services.clients, imageObject(settings, id));
  await removeBuilt(services, id);
  for (const ami of serving) {
    const own = servedBy(ami).find((image) => image.id === id);
    if (own?.isAlias) await amis.removeTag(ami.ami, aliasTagPrefix + id);
    else await amis.deregister(ami.ami);
  }
  // Only now: a snapshot cannot be deleted while an AMI is made of it, and EC2 may believe so for a while longer. One that
  // stays in use then is what somebody made an AMI of their own from.
  const freed = new Set(serving.flatMap((ami) => ami.snapshots));
  for (const snapshot of await amis.snapshots({ [imageTag]: id })) {
    const timeoutMs = freed.has(snapshot) ? settings.visibilitySeconds * 1000 : 0;
    await poll({ timeoutMs, check: async () => (await amis.deleteSnapshot(snapshot)) || null });
  }
  await records.remove(id);
}

/** The output leaves the store at once where nothing else holds it; else with the store's next collection. */
async function removeBuilt({ records, nix }: { records: ImageRecords; nix: Nix }, id: string): Promise<void> {
  const record = await records.read(id);
  await records.remove(id);
  for (const path of record?.storePaths ?? []) await nix.run(["store", "delete", path]).catch(() => {});
}

function inUse(id: string): ToolError {
  return new ToolError(`image ${id} stays: an instance is made from it`, {
    code: "image_in_use",
    hint: "replace or retire that instance first (`fleet status`)",
  });
}
