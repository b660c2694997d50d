/** What of the fleet repository shapes a machine, as against what decides which machines there are. */
import { sha256 } from "../json.ts";
import type { Git } from "./git.ts";

/** Desired state and policy change with every operation, and what people and CI read changes no machine. */
const isNotOfMachines = /^(nix\/instances\.json|policy\.json|[^/]*\.md|\.github\/.*)$/;

/** SHA-256 over names, modes and contents of the files that a machine is built from. */
export async function configurationDigest(git: Git, commit: string): Promise<string> {
  const listing = await git.run(["ls-tree", "-r", "-z", "--full-tree", commit]);
  const entries = listing.split("\0").filter((entry) => {
    const path = entry.slice(entry.indexOf("\t") + 1);
    return entry !== "" && !isNotOfMachines.test(path);
  });
  return sha256(entries.join("\0"));
}
