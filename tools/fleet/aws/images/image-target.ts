/** What nix evaluates for the image of a commit: the program at that commit, with the fleet's own settings. */
import { pathToFileURL } from "node:url";
import type { FleetConfiguration } from "../../services.ts";

/** Digits of the configuration's digest in a tag. */
const shownDigits = 16;

export interface ImageTarget {
  /** Names all that the derivation depends on: the same text, the same derivation. */
  identity: string;
  /** The same without the commit: of two AMIs of one commit it tells which settings they carry. */
  recipe: string;
  /** What to evaluate or build, as nix takes it. */
  installable: string[];
}

/**
 * `flake` is the program, pinned. With a configuration, the flake's `lib.mkFleet` makes the fleet's image of both; without
 * one it is the program's own image, whose instances keep a fleet of one.
 */
export function imageTarget(options: {
  flake: string;
  attribute: string;
  configuration: FleetConfiguration | null;
}): ImageTarget {
  const { flake, attribute, configuration } = options;
  if (configuration === null) {
    const installable = `${flake}#${attribute}`;
    return { identity: installable, recipe: attribute, installable: [installable] };
  }
  const { clone, commit, digest } = configuration;
  const fleet = `builtins.fetchGit { url = ${text(pathToFileURL(clone).href)}; rev = ${text(commit)}; allRefs = true; }`;
  const expression = `(builtins.getFlake ${text(flake)}).lib.mkFleet { fleet = ${fleet}; }`;
  return {
    identity: `${flake}#${attribute}, configured by ${digest}`,
    recipe: `${attribute}@${digest.slice(0, shownDigits)}`,
    installable: ["--expr", expression, attribute],
  };
}

/** A string of the Nix language. */
function text(value: string): string {
  return JSON.stringify(value).replaceAll("${", "\\${");
}
