/** The maintainer's token that this user has for the fleet. */
import { rm } from "node:fs/promises";
import { readCredentials } from "../agent/credentials.ts";
import type { Core } from "../agent/gateway/core.ts";
import type { Maintainer } from "../agent/gateway/maintainers.ts";
import type { BootstrapContext } from "./step.ts";

/** Null when there is none that the fleet knows. One that is kept here and was revoked is forgotten. */
export async function adminToken(
  context: BootstrapContext,
  core: Pick<Core, "maintainers">,
): Promise<{ maintainer: Maintainer; token: string } | null> {
  const given = context.environment.CLAWDINATOR_TOKEN;
  const kept = readCredentials(context.paths.credentials)?.token;
  for (const token of [given, kept]) {
    if (!token) continue;
    context.redactor.hide(token);
    const maintainer = await core.maintainers.authenticate(token);
    if (maintainer) return { maintainer, token };
    if (token === kept) await rm(context.paths.credentials, { force: true });
  }
  return null;
}
