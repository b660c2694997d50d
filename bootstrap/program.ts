/** Which program the fleet runs: its repository and the commit. */
import { UsageError } from "../agent/cli/output.ts";
import { ConfigError } from "../tools/errors.ts";
import { author } from "./author.ts";
import { openUserGit, type UserGit } from "./git.ts";
import type { BootstrapContext } from "./step.ts";

/** The remote is only missing for a teardown, which has no use for it. */
export function remoteOf({ options }: Pick<BootstrapContext, "options">): string {
  if (options.remote !== null) return options.remote;
  throw new UsageError("--remote is missing", "name the address of the fleet repository");
}

export function checkoutGit(context: Pick<BootstrapContext, "environment" | "program" | "signal">): UserGit {
  const { environment, program, signal } = context;
  return openUserGit({ directory: program, environment, author: author(environment), signal });
}

/** Address that instances fetch the program from. */
export async function programAddress(
  context: Pick<BootstrapContext, "options" | "environment" | "program" | "signal">,
): Promise<string> {
  if (context.options.programRepository) return context.options.programRepository;
  const git = checkoutGit(context);
  const origin = await git.attempt(["-c", `safe.directory=${context.program}`, "config", "--get", "remote.origin.url"]);
  if (origin) return origin;
  throw new ConfigError(
    "this program is no clone that would know where it came from, and --program-repository is missing",
    {
      code: "program_repository_missing",
      hint: "name the repository that instances are built from, such as --program-repository https://github.com/OWNER/clawdinator",
    },
  );
}
