/** The commit of the program that the first instance runs. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCheckout } from "../agent/gateway/identity.ts";
import { ToolError } from "../tools/errors.ts";
import { openProgram } from "../tools/fleet/program.ts";
import { describeAmi } from "./ami.ts";
import { programAddress } from "./program.ts";
import type { BootstrapContext } from "./step.ts";

export interface ChosenRevision {
  commit: string;
  /** Worth saying before anybody agrees. */
  warnings: string[];
}

/**
 * What was asked for, else what the AMI says of itself, else the checkout's commit. It must be in the program's
 * repository, where instances fetch it. Throws ToolError where it is not.
 */
export async function chooseRevision(context: BootstrapContext): Promise<ChosenRevision> {
  const { options, environment, program } = context;
  const warnings: string[] = [];
  const ofAmi = options.ami === null ? null : ((await describeAmi(context, options.ami)).revision ?? null);
  let wanted = options.revision ?? ofAmi;
  if (wanted === null) {
    const checkout = await readCheckout(program);
    if (checkout.dirty) warnings.push("this checkout has uncommitted changes, which the instance will not have");
    wanted = checkout.revision;
  }
  const source = await programAddress(context);
  if (source.startsWith("/"))
    warnings.push(
      `the program's repository is a directory of this machine (${source}), which instances on AWS cannot read`,
    );
  // In a dry run nothing is left behind, not even a cache.
  const temporary = options.dryRun ? await mkdtemp(join(tmpdir(), "clawdinator-bootstrap-")) : null;
  try {
    const directory = temporary ? join(temporary, "program.git") : context.paths.program;
    const commit = await openProgram({ directory, source, environment }).resolve(wanted);
    if (ofAmi !== null && ofAmi !== commit) {
      throw new ToolError(`${options.ami} was built from ${ofAmi.slice(0, 12)}, not from ${commit.slice(0, 12)}`, {
        code: "ami_differs",
        hint: "leave out --revision to take the AMI's own, or name another AMI",
      });
    }
    return { commit, warnings };
  } catch (error) {
    if (!(error instanceof ToolError) || error.code !== "revision_unknown") throw error;
    throw new ToolError(error.message, {
      code: error.code,
      hint: "push that commit to the program's repository first, or name one that is there with --revision",
      cause: error,
    });
  } finally {
    if (temporary) await rm(temporary, { recursive: true, force: true });
  }
}
