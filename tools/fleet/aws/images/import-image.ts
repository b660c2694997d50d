/**
 * A disk image becomes an AMI, once. Everything in it can be repeated after a kill at any line: the snapshot is found by
 * its client token, the AMI by its name, and what an attempt leaves over carries the step's token.
 */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { ToolError } from "../../../errors.ts";
import { sha256 } from "../../../json.ts";
import type { ImportedImage, ImportWay, PlannedImage, StepOptions } from "../../services.ts";
import type { AwsClients } from "../clients.ts";
import { journalPath } from "../ebs/journal.ts";
import { awsErrorCode } from "../errors.ts";
import { poll } from "../poll.ts";
import type { AwsSettings } from "../settings.ts";
import { bytesTag, closureTag, derivationTag, imageTag, ownedBy, revisionTag, type Tags } from "../tags.ts";
import { type Ami, type Amis, openAmis } from "./ami.ts";
import { aliasTag, findAmiOf, isLaunchable, recipeTag, servedBy, stepTag } from "./ami-images.ts";
import { imageObject, imageObjectExists, putImageObject, removeImageObject } from "./image-object.ts";
import type { ImageRecord, ImageRecords } from "./image-records.ts";
import { type ImportJournal, openImportJournal } from "./import-journal.ts";
import { cancelImports, importSnapshot } from "./vm-import.ts";

export interface ImportServices {
  settings: AwsSettings;
  clients: AwsClients;
  records: ImageRecords;
  /** On local disk: journals of imports, and the block hashes of what was sent. */
  directory: string;
}

export async function importImage(
  services: ImportServices,
  image: PlannedImage,
  options: StepOptions & { via: ImportWay | null },
): Promise<ImportedImage> {
  const { settings, clients, records } = services;
  const { token, signal, progress } = options;
  const amis = openAmis({ settings, clients });
  const journal = journalOf(services, image, token);
  const begun = await journal.read();
  const way = begun?.way ?? options.via ?? settings.importWay;
  const record = await records.read(image.id);

  const all = await amis.all();
  const existing = findAmiOf(all, image.id) ?? (record && sameClosure(all, record.closure));
  if (existing) {
    const ami = await amis.available(existing, signal);
    if (!servedBy(ami).some((served) => served.id === image.id)) {
      await amis.addTags(ami.ami, aliasTag({ ...image, derivation: image.derivation ?? "" }));
    }
    if (begun) await clearUp(services, { amis, image, token, keep: ami.snapshots, begun, journal });
    return { image: ami.ami, snapshot: ami.snapshots[0] ?? null, revision: image.revision, reused: true };
  }

  if (!record) throw notBuilt(image);
  const entry = begun ?? { way, parent: way === "ebs-direct" ? await parentOf(services, all) : null };
  if (!begun) await journal.write({ ...entry, isTaskRequested: false });
  const tags = tagsOf(settings, image, record);
  const snapshotTags = { ...tags, [stepTag]: token };
  const snapshot =
    way === "ebs-direct"
      ? await sendBlocks(services, { record, token, parent: entry.parent, tags: snapshotTags, progress, signal })
      : await importObject(services, { record, token, journal, tags: snapshotTags, progress, signal });

  progress(`registering the AMI of ${image.id}`);
  const name = `${settings.fleet}-${image.id}`;
  const { architecture, bootMode } = record;
  const description = `${settings.fleet} at ${image.revision}`;
  const ami = await amis.register({ name, description, snapshot, architecture, bootMode, tags }, signal);
  await clearUp(services, { amis, image, token, keep: ami.snapshots, begun: entry, journal });
  return { image: ami.ami, snapshot: ami.snapshots[0] ?? snapshot, revision: image.revision, reused: false };
}

/** Removes what an import of this token left behind. What a registered AMI is made of stays. */
export async function abandonImport(
  services: ImportServices,
  image: PlannedImage,
  options: StepOptions,
): Promise<void> {
  const { settings, clients } = services;
  const { token, signal } = options;
  const amis = openAmis({ settings, clients });
  const journal = journalOf(services, image, token);
  const begun = await journal.read();
  const registered = findAmiOf(await amis.all(), image.id);
  const object = imageObject(settings, image.id);

  const usesObject = begun ? begun.way === "vm-import" : settings.importWay === "vm-import";
  if (usesObject) {
    options.progress("ending the import");
    const exists = await imageObjectExists(clients, object);
    const mayHaveBegun = !registered && exists && begun?.isTaskRequested === true;
    const tags = { ...ownedBy(settings.fleet), [imageTag]: image.id, [stepTag]: token };
    const { visibilitySeconds } = settings;
    const made = await cancelImports({ clients, object, token, visibilitySeconds, tags, mayHaveBegun, signal });
    for (const snapshot of made) await deleteImported(amis, snapshot, tags);
    await removeImageObject(clients, object);
  }
  options.progress("deleting what was not registered");
  // A snapshot of a moment ago may be invisible: what the journal says was begun is looked for as long as that lasts.
  const isExpected = begun?.way === "ebs-direct" && !registered;
  const found = await poll({
    timeoutMs: isExpected ? settings.visibilitySeconds * 1000 : 0,
    signal,
    async check() {
      const snapshots = await amis.snapshots({ [imageTag]: image.id, [stepTag]: token });
      return snapshots.length > 0 ? snapshots : null;
    },
  });
  for (const snapshot of found ?? []) {
    if (!registered?.snapshots.includes(snapshot)) await amis.deleteSnapshot(snapshot);
  }
  await rm(journalPath(blockJournals(services), uploadToken(token, begun?.parent ?? null)), { force: true });
  await journal.remove();
}

/** The role may delete only what carries the fleet's tags, and VM Import leaves them to us. */
async function deleteImported(amis: Amis, snapshot: string, tags: Tags): Promise<void> {
  try {
    await amis.deleteSnapshot(snapshot);
  } catch (error) {
    if (awsErrorCode((error as Error).cause) !== "UnauthorizedOperation") throw error;
    await amis.addTags(snapshot, tags);
    await amis.deleteSnapshot(snapshot);
  }
}

/** Tags of the AMI and its snapshot, set in the calls that make them. */
function tagsOf(settings: AwsSettings, image: PlannedImage, record: ImageRecord): Tags {
  return {
    ...ownedBy(settings.fleet),
    Name: `${settings.fleet}-${image.id}`,
    [imageTag]: image.id,
    [revisionTag]: image.revision,
    [closureTag]: record.closure,
    [derivationTag]: record.derivation,
    [bytesTag]: String(record.bytes),
    [recipeTag]: record.recipe,
  };
}

function sameClosure(amis: Ami[], closure: string): Ami | null {
  return amis.find((ami) => isLaunchable(ami) && ami.tags[closureTag] === closure) ?? null;
}

async function sendBlocks(
  services: ImportServices,
  options: {
    record: ImageRecord;
    token: string;
    parent: string | null;
    tags: Tags;
    progress(text: string): void;
    signal: AbortSignal;
  },
): Promise<string> {
  const { uploadSnapshot } = await import("../ebs/upload.ts");
  const { record, parent, tags, signal } = options;
  const { snapshot } = await uploadSnapshot({
    file: record.path,
    parent,
    clients: services.clients,
    // Another machine that takes the step over knows no parent: what it sends is another snapshot, under another token.
    token: uploadToken(options.token, parent),
    description: `${services.settings.fleet} ${record.id}`,
    tags,
    journalDirectory: blockJournals(services),
    onProgress({ blocksDone, blocksTotal, mibPerSecond, secondsLeft }) {
      const rest = secondsLeft === null ? "" : `, ${Math.ceil(secondsLeft)} s left`;
      options.progress(`sent ${blocksDone} of ${blocksTotal} blocks, ${Math.round(mibPerSecond)} MiB/s${rest}`);
    },
    signal,
  });
  return snapshot;
}

async function importObject(
  services: ImportServices,
  options: {
    record: ImageRecord;
    token: string;
    journal: ImportJournal;
    tags: Tags;
    progress(text: string): void;
    signal: AbortSignal;
  },
): Promise<string> {
  const { settings, clients } = services;
  const { record, token, tags, progress, signal } = options;
  const { visibilitySeconds } = settings;
  const object = imageObject(settings, record.id);
  const content = { file: record.path, bytes: record.bytes, closure: record.closure };
  await putImageObject({ clients, object, content, progress, signal });
  await options.journal.write({ way: "vm-import", parent: null, isTaskRequested: true });
  const snapshot = await importSnapshot({ clients, object, token, visibilitySeconds, tags, progress, signal });
  // VM Import tags its task, not what comes of it.
  await openAmis({ settings, clients }).addTags(snapshot, tags);
  return snapshot;
}

/** After the AMI is there: the object is of no more use, and another attempt may have left a snapshot. */
async function clearUp(
  services: ImportServices,
  options: {
    amis: Amis;
    image: PlannedImage;
    token: string;
    keep: string[];
    begun: { way: ImportWay };
    journal: ImportJournal;
  },
): Promise<void> {
  const { amis, image, token } = options;
  for (const snapshot of await amis.snapshots({ [imageTag]: image.id, [stepTag]: token })) {
    if (!options.keep.includes(snapshot)) await amis.deleteSnapshot(snapshot);
  }
  if (options.begun.way === "vm-import") {
    await removeImageObject(services.clients, imageObject(services.settings, image.id));
  }
  await options.journal.remove();
}

/**
 * The newest image whose blocks this machine remembers: only what differs from it is sent. Without them the whole parent
 * would be read back first, which costs more than it saves.
 */
async function parentOf(services: ImportServices, amis: Ami[]): Promise<string | null> {
  const remembered = new Set(await readdir(blockJournals(services)).catch(() => []));
  const snapshots = amis.filter((ami) => ami.state === "available").flatMap((ami) => ami.snapshots);
  return snapshots.findLast((snapshot) => remembered.has(`${snapshot}.blocks`)) ?? null;
}

function uploadToken(token: string, parent: string | null): string {
  return sha256(`${token} ${parent ?? ""}`);
}

function journalOf(services: ImportServices, image: PlannedImage, token: string): ImportJournal {
  return openImportJournal(join(services.directory, "imports"), image.id, token);
}

function blockJournals(services: Pick<ImportServices, "directory">): string {
  return join(services.directory, "blocks");
}

function notBuilt(image: PlannedImage): ToolError {
  return new ToolError(`image ${image.id} of ${image.revision.slice(0, 12)} is not built on this machine`, {
    code: "image_not_built",
    hint: `build it first: clawdinator image build ${image.revision}`,
  });
}
