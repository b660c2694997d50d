/** Images on AWS: NixOS disk images, built by nix from a commit, imported as AMIs, known by their derivation. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { ToolError } from "../../../errors.ts";
import { withProcessLock } from "../../local/process.ts";
import type { FleetConfiguration, FleetProvider, Image, ImageDerivation } from "../../services.ts";
import type { AwsClients } from "../clients.ts";
import type { AwsSettings } from "../settings.ts";
import { openAmis } from "./ami.ts";
import { findAmiOf, isLaunchable, recipeTag, servedBy, toImage } from "./ami-images.ts";
import {
  type BuildNeeds,
  cannotBuildHere,
  describeNeeds,
  gib,
  imageBuildNeeds,
  missingForBuild,
  readMachine,
} from "./build-needs.ts";
import { type DerivationFacts, imageOfDerivation, openDerivations, plannedImage } from "./derivations.ts";
import { checkImageId, type ImageRecord, openImageRecords } from "./image-records.ts";
import { type ImageTarget, imageTarget } from "./image-target.ts";
import { abandonImport, type ImportServices, importImage } from "./import-image.ts";
import { openNix } from "./nix.ts";
import { buildDisk } from "./nix-build.ts";
import { removeImage } from "./remove-image.ts";

/** How an image boots that does not say so itself: systemd-repart makes an EFI system partition and no boot sector. */
const defaultBootMode = "uefi";

const architectures: Record<string, string> = { "x86_64-linux": "x86_64", "aarch64-linux": "arm64" };

export type AwsImages = Pick<
  FleetProvider,
  "deriveImage" | "checkBuild" | "buildImage" | "importImage" | "abandonImport" | "listImages" | "removeImage"
>;

export interface AwsImagesOptions {
  settings: AwsSettings;
  clients: AwsClients;
  program: {
    resolve(revision: string): Promise<string>;
    /** The commit as nix addresses it: see `gitFlake`. */
    flake(commit: string): string | Promise<string>;
  };
  /** The fleet's own settings, which its machines carry; without it, images carry none. */
  configuration?: () => Promise<FleetConfiguration>;
  /** On local disk: derivations, records and roots of built images, journals of imports. */
  stateDirectory: string;
  environment: NodeJS.ProcessEnv;
  now(): number;
  /** Image ids (or AMI ids) that instances are made from. */
  inUse(): Promise<Iterable<string>>;
  /** Handed to every nix command, such as `["--store", "/mnt"]`. */
  nixOptions?: string[];
  nixProgram?: string;
  /** What a build needs; default what NixOS needs. */
  needs?: BuildNeeds;
}

/** Makes nothing until it is used. */
export function openAwsImages(options: AwsImagesOptions): AwsImages {
  const { settings, clients, program, stateDirectory, environment, needs = imageBuildNeeds } = options;
  const attribute = settings.imageAttribute;
  const nix = openNix({
    environment,
    home: join(stateDirectory, "nix-home"),
    ...(options.nixOptions ? { options: options.nixOptions } : {}),
    ...(options.nixProgram ? { program: options.nixProgram } : {}),
  });
  const target = async (commit: string): Promise<ImageTarget> =>
    imageTarget({
      flake: await program.flake(commit),
      attribute,
      configuration: (await options.configuration?.()) ?? null,
    });
  const derivations = openDerivations({ directory: join(stateDirectory, "derivations"), nix, target });
  const records = openImageRecords(join(stateDirectory, "images"));
  const amis = openAmis({ settings, clients });
  const services: ImportServices = { settings, clients, records, directory: stateDirectory };
  const machine = () => readMachine({ storeDirectory: nix.storeDirectory, environment });

  /** An evaluation that runs out of memory takes the gateway with it. */
  async function checkEvaluation(): Promise<void> {
    const { memoryBytes } = await machine();
    if (memoryBytes >= needs.evaluationMemoryBytes) return;
    throw cannotBuildHere("this revision cannot be evaluated", [
      `${gib(needs.evaluationMemoryBytes)} of memory (${gib(memoryBytes)} free, swap included)`,
    ]);
  }

  async function evaluate(commit: string): Promise<DerivationFacts> {
    try {
      return await derivations.of(commit, checkEvaluation);
    } catch (error) {
      if (error instanceof ToolError && error.code === "nix_missing") {
        throw cannotBuildHere(
          "this revision cannot be evaluated",
          ["nix (it is not installed, or not in PATH)"],
          error,
        );
      }
      throw error;
    }
  }

  async function derive(revision: string): Promise<ImageDerivation> {
    const commit = await program.resolve(revision);
    const [all, { recipe }] = await Promise.all([amis.all(), target(commit)]);
    for (const ami of all) {
      // Where the AMI of this commit exists nothing is evaluated: the machine may be too small for that.
      const served = servedBy(ami).find((image) => image.revision === commit && image.derivation !== "");
      if (!served || !isLaunchable(ami) || (ami.tags[recipeTag] ?? recipe) !== recipe) continue;
      const { id, digest } = imageOfDerivation(served.derivation);
      if (id !== served.id) continue;
      return { ...plannedImage(commit, served.derivation), built: toImage(ami, served, digest) };
    }
    const { derivation } = await evaluate(commit);
    const planned = plannedImage(commit, derivation);
    const record = await records.read(planned.id);
    const ami = findAmiOf(all, planned.id);
    const served = ami && servedBy(ami).find((image) => image.id === planned.id);
    const built = ami && served ? toImage(ami, served, planned.digest) : record && ofRecord(record);
    return { ...planned, built: built && { ...built, revision: commit, path: record?.path ?? "" } };
  }

  return {
    deriveImage: derive,

    async checkBuild(image) {
      const facts = await derivations.known(image.revision);
      const features = facts?.features ?? [];
      const sentence = { needs: [describeNeeds(needs, features)] };
      if (await records.read(image.id)) return sentence;
      const missing = missingForBuild(await machine(), needs, features);
      try {
        await nix.run(["--version"]);
      } catch (error) {
        if (!(error instanceof ToolError)) throw error;
        missing.unshift(error.code === "nix_missing" ? "nix (it is not installed, or not in PATH)" : error.message);
      }
      if (missing.length > 0) throw cannotBuildHere(`image ${image.id} cannot be built`, missing);
      return sentence;
    },

    async buildImage(revision, { progress, signal }) {
      const commit = await program.resolve(revision);
      const derived = await derive(commit);
      if (derived.built) return { image: derived.built, reused: true };
      const planned = await evaluate(commit);
      const { id, digest } = imageOfDerivation(planned.derivation);
      const directory = join(stateDirectory, "images");
      await mkdir(directory, { recursive: true });
      const onWait = () => progress("waiting for another build to end");
      return withProcessLock(join(directory, "build.lock"), { signal, onWait }, async () => {
        const present = await records.read(id);
        if (present) return { image: { ...ofRecord(present), revision: commit }, reused: true };
        progress(`building ${id} from commit ${commit.slice(0, 12)}`);
        const builtFrom = await target(commit);
        const root = records.rootOf(id);
        const disk = await buildDisk({ nix, target: builtFrom, planned, root, progress, signal });
        const record: ImageRecord = {
          formatVersion: 1,
          id,
          revision: commit,
          digest,
          derivation: planned.derivation,
          recipe: builtFrom.recipe,
          ...disk,
          builtAt: options.now(),
          architecture: architectureOf(planned, attribute),
          bootMode: planned.bootMode ?? defaultBootMode,
        };
        await records.write(record);
        return { image: ofRecord(record), reused: false };
      });
    },

    importImage: (image, importOptions) => importImage(services, image, importOptions),
    abandonImport: (image, importOptions) => abandonImport(services, image, importOptions),

    async listImages() {
      const [all, built] = await Promise.all([amis.all(), records.list()]);
      const images = new Map<string, Image>();
      for (const ami of all) {
        for (const served of servedBy(ami)) {
          if (images.has(served.id)) continue;
          const path = built.find((record) => record.id === served.id)?.path ?? "";
          images.set(served.id, { ...toImage(ami, served, imageOfDerivation(served.derivation).digest), path });
        }
      }
      for (const record of built) if (!images.has(record.id)) images.set(record.id, ofRecord(record));
      return [...images.values()].sort((a, b) => a.builtAt - b.builtAt);
    },

    async removeImage(id) {
      checkImageId(id);
      const users = new Set(await options.inUse());
      await removeImage({ settings, clients, records, amis, nix, users }, id);
    },
  };
}

function ofRecord(record: ImageRecord): Image {
  const { revision, id, digest, derivation, path, bytes, builtAt, closure } = record;
  return { revision, id, digest, derivation, path, bytes, builtAt, closure, ami: null, snapshot: null };
}

function architectureOf(facts: DerivationFacts, attribute: string): string {
  const architecture = architectures[facts.system];
  if (architecture) return architecture;
  throw new ToolError(`EC2 has no machines for ${attribute}, which is of system "${facts.system}"`, {
    code: "image_unusable",
    hint: "`aws.imageAttribute` must be of x86_64-linux or aarch64-linux",
  });
}
