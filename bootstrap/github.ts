/** GitHub, through its own command line. */
import { ConfigError } from "../tools/errors.ts";
import { type ChildRequest, type ChildResult, childError, environmentFor, runChild } from "./child.ts";
import type { BootstrapContext } from "./step.ts";

export const installGh = "install GitHub's command line: https://cli.github.com, and log in with `gh auth login`";

/** OWNER/NAME where the address is one of github.com; else null. */
export function githubRepository(address: string): string | null {
  const match = /^(?:https:\/\/github\.com\/|(?:ssh:\/\/)?git@github\.com[:/])([^/]+)\/([^/]+?)(?:\.git)?\/?$/.exec(
    address,
  );
  return match ? `${match[1]}/${match[2]}` : null;
}

/** Runs gh; throws ProviderError where it says no, ConfigError where there is none. */
export async function gh(
  context: Pick<BootstrapContext, "environment" | "program" | "signal">,
  parameters: string[],
): Promise<string> {
  const { code, stdout, stderr, request } = await attemptGh(context, parameters);
  if (code !== 0)
    throw childError(request, stderr || stdout, "check `gh auth status`, and that you may write to the repository");
  return stdout;
}

async function attemptGh(
  context: Pick<BootstrapContext, "environment" | "program" | "signal">,
  parameters: string[],
): Promise<ChildResult & { request: ChildRequest }> {
  const request: ChildRequest = {
    command: "gh",
    parameters,
    directory: context.program,
    environment: { ...environmentFor("gh", context.environment), GH_PROMPT_DISABLED: "1", NO_COLOR: "1" },
    signal: context.signal,
    install: installGh,
  };
  return { ...(await runChild(request)), request };
}

/** Why gh cannot be used here; null when it can. */
export async function whyNoGh(
  context: Pick<BootstrapContext, "environment" | "program" | "signal">,
): Promise<string | null> {
  try {
    const { code } = await attemptGh(context, ["auth", "status"]);
    return code === 0 ? null : "gh is not logged in (`gh auth login`)";
  } catch (error) {
    if (error instanceof ConfigError) return "gh is not installed (https://cli.github.com)";
    throw error;
  }
}
