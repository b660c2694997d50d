/** Commits of the program that cannot work, each in its own way; `main` stays as it was. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { commitFiles, git } from "./git.ts";

function onSideBranch(program: string, branch: string, files: Record<string, string>): string {
  git(program, "checkout", "--quiet", "-B", branch);
  const commit = commitFiles(program, files, branch);
  git(program, "checkout", "--quiet", "main");
  return commit;
}

export const mindFailure = "the mind of this commit is broken";
export const holderFailure = "the holder of this commit is broken";
export const gatewayFailure = "the gateway of this commit is broken";

/** A commit whose mind throws as soon as it starts. */
export function breakMind(program: string): string {
  return onSideBranch(program, "broken-mind", { "agent/mind/main.ts": `throw new Error("${mindFailure}");\n` });
}

/** A commit whose gateway throws as soon as it starts. */
export function breakGateway(program: string): string {
  return onSideBranch(program, "broken-gateway", { "agent/main.ts": `throw new Error("${gatewayFailure}");\n` });
}

/** A commit whose instances prove themselves as candidates and fail when they are given a name. */
export function breakHolder(program: string): string {
  const file = "tools/fleet/names.ts";
  const text = readFileSync(join(program, file), "utf8");
  const broken = text.replace(
    /(export async function renewName\([^{]*\{[^}]*\},\n\): Promise<StoreEntry \| null> \{\n)/,
    `$1  if (options) throw new Error("${holderFailure}");\n`,
  );
  if (broken === text) throw new Error(`${file} has no renewName of the form that is known here`);
  return onSideBranch(program, "broken-holder", { [file]: broken });
}
