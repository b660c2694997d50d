/** What the image of a commit would be: its Nix derivation, evaluated once and kept. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { ProviderError } from "../../../errors.ts";
import { sha256 } from "../../../json.ts";
import { readFileIfThere, writeFileDurably } from "../../local/files.ts";
import type { PlannedImage } from "../../services.ts";
import type { ImageTarget } from "./image-target.ts";
import { lockedFlake, type Nix } from "./nix.ts";

const factsSchema = z.object({
  formatVersion: z.literal(1),
  /** `ImageTarget.identity`. */
  target: z.string(),
  derivation: z.string().regex(/^\/.+\.drv$/),
  output: z.string().regex(/^\//),
  /** Nix system such as `x86_64-linux`. */
  system: z.string(),
  /** `requiredSystemFeatures`, such as `kvm`. */
  features: z.array(z.string()),
  /** The image's own word on how it boots (attribute `bootMode`); null where it says nothing. */
  bootMode: z.string().nullable(),
});
export type DerivationFacts = z.output<typeof factsSchema>;

/** One evaluation for all of it. Only attributes of the derivation itself are read, so nothing is built. */
const readFacts = `image: {
  derivation = image.drvPath;
  output = image.outPath;
  system = image.system or "";
  features = image.requiredSystemFeatures or [ ];
  bootMode = image.bootMode or null;
}`;

/** `img-` and 12 hex digits of the digest, which is the SHA-256 of the derivation's path. */
export function imageOfDerivation(derivation: string): { id: string; digest: string } {
  const digest = sha256(derivation);
  return { id: `img-${digest.slice(0, 12)}`, digest };
}

export function plannedImage(revision: string, derivation: string): PlannedImage {
  return { revision, ...imageOfDerivation(derivation), derivation };
}

export interface Derivations {
  /** What is known without evaluating. */
  known(commit: string): Promise<DerivationFacts | null>;
  /** Known, or evaluated now. `before` runs only when nix is about to evaluate. */
  of(commit: string, before?: () => Promise<void>): Promise<DerivationFacts>;
}

/** `directory` is on local disk; a target is pinned, so what it evaluates to never changes. */
export function openDerivations(options: {
  directory: string;
  nix: Nix;
  target(commit: string): Promise<ImageTarget>;
}): Derivations {
  const { directory, nix } = options;
  const pathOf = (target: string): string => join(directory, `${sha256(target).slice(0, 32)}.json`);

  async function read(target: string): Promise<DerivationFacts | null> {
    const text = await readFileIfThere(pathOf(target));
    if (text === null) return null;
    try {
      const facts = factsSchema.parse(JSON.parse(text));
      return facts.target === target ? facts : null;
    } catch {
      // A cache: what cannot be read is evaluated again.
      return null;
    }
  }

  return {
    known: async (commit) => read((await options.target(commit)).identity),
    async of(commit, before) {
      const { identity: target, recipe, installable } = await options.target(commit);
      const present = await read(target);
      if (present) return present;
      await before?.();
      const text = await nix.run(["eval", "--json", ...installable, "--apply", readFacts, ...lockedFlake]);
      const facts = factsSchema.safeParse({ ...parseObject(text), formatVersion: 1, target });
      if (!facts.success) {
        throw new ProviderError(`${recipe} of ${commit.slice(0, 12)} is not a derivation as nix describes them`, {
          code: "derivation_unusable",
          hint: "check `aws.imageAttribute`: it must name the raw disk image, such as packages.x86_64-linux.image",
          cause: facts.error,
        });
      }
      await mkdir(directory, { recursive: true });
      await writeFileDurably(pathOf(target), `${JSON.stringify(facts.data)}\n`);
      return facts.data;
    },
  };
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
