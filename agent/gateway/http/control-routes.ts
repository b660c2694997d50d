import type { Context } from "hono";
import { z } from "zod";
import { consoleUrl } from "../../../tools/fleet/model.ts";
import { surfaceOf } from "../maintainers.ts";
import { secretRoutes } from "../secrets-routes.ts";
import type { Api, Environment } from "./context.ts";
import { HttpProblem, readJson } from "./problem.ts";
import type { Guarded } from "./route.ts";

/** Names stand in commit messages and on terminals. */
const addMaintainerSchema = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(100)
    .regex(/^\P{C}+$/u, "a name is one line of visible characters"),
});

const linkSchema = z.strictObject({ discord: z.string().max(30).nullable() });

/** What only this machine's user may do: people, tokens, and ending the process. */
export function controlRoutes(api: Api, guarded: Guarded): void {
  const { maintainers, audit } = api;
  const write = (context: Context<Environment>, action: string, id: string, detail: string): Promise<unknown> =>
    audit.write({
      action,
      actor: `maintainer:${context.get("actor").maintainer.id}`,
      surface: surfaceOf(context.get("actor")),
      subject: `maintainer/${id}`,
      detail,
    });
  const requireApprover = async (context: Context<Environment>): Promise<void> => {
    const { policy } = await api.policy();
    const { maintainer } = context.get("actor");
    if (policy.approvers.includes(maintainer.id)) return;
    throw new HttpProblem(
      403,
      "not_an_approver",
      `${maintainer.name} is not an approver`,
      "an approver named in policy.json does this",
    );
  };

  guarded("GET", "/control/maintainers", "maintainers and whether they are approvers", async (context) => {
    const { policy } = await api.policy();
    const list = await maintainers.list();
    return context.json({ maintainers: list.map((one) => ({ ...one, approver: policy.approvers.includes(one.id) })) });
  });
  guarded("POST", "/control/maintainers", "`{ name }` adds a maintainer; the token is shown once", async (context) => {
    const { name } = addMaintainerSchema.parse(await readJson(context));
    await requireApprover(context);
    const added = await maintainers.add(name);
    await write(context, "maintainer.added", added.maintainer.id, name);
    return context.json({ ...added, url: ownUrl(api) });
  });
  guarded(
    "POST",
    "/control/maintainers/:id/remove",
    "removes a maintainer; their token stops working",
    async (context) => {
      await requireApprover(context);
      const id = context.req.param("id") ?? "";
      const { policy } = await api.policy();
      if (policy.approvers.includes(id)) {
        throw new HttpProblem(
          409,
          "is_approver",
          `maintainer ${id} is an approver`,
          "propose a policy_change without them first",
        );
      }
      const removed = await maintainers.remove(id);
      await write(context, "maintainer.removed", id, removed.name);
      return context.json({ maintainer: removed });
    },
  );
  guarded(
    "POST",
    "/control/maintainers/:id/link",
    "`{ discord }` says which Discord user the maintainer is; null takes it back",
    async (context) => {
      const { discord } = linkSchema.parse(await readJson(context));
      await requireApprover(context);
      const id = context.req.param("id") ?? "";
      const { policy } = await api.policy();
      const { by } = context.get("actor");
      // Whoever could give another approver's vote to an account of their own would vote twice.
      if (policy.approvers.includes(id) && by.id !== id) {
        throw new HttpProblem(
          403,
          "not_yours",
          `maintainer ${id} is an approver, so only they can say who they are in Discord`,
          "run it with their own token (CLAWDINATOR_TOKEN)",
        );
      }
      if (discord !== null && policy.approvers.includes(discord)) {
        throw new HttpProblem(
          409,
          "is_approver",
          `policy.json names Discord user ${discord} as an approver already`,
          "one person has one vote: propose a policy_change without that id first",
        );
      }
      const linked = await maintainers.link(id, discord);
      await write(context, "maintainer.linked", id, discord === null ? "no Discord user" : `Discord user ${discord}`);
      return context.json({ maintainer: linked });
    },
  );
  secretRoutes(api, guarded, requireApprover);
  guarded("GET", "/control/policy", "the policy in force", async (context) => {
    const { policy, commit, digest } = await api.policy();
    return context.json({ policy, commit, digest });
  });
  guarded("GET", "/control/checks", "every check of this instance", (context) => {
    // A wrong file of the schedule is worth knowing, and no reason to call the instance unwell.
    const problem = api.schedule.problem();
    const schedule = { name: "schedule", ok: problem === null, detail: problem ?? "its file is in force" };
    return context.json({ checks: [...api.presence.heartbeat().checks, schedule] });
  });
  guarded("GET", "/control/login", "the console's address, for a login link", (context) =>
    context.json({ url: ownUrl(api) }),
  );
  guarded("POST", "/control/stop", "ends this instance's processes", (context) => {
    api.stop?.(`stopped by ${context.get("actor").maintainer.name}`);
    return context.json({});
  });
}

function ownUrl(api: Api): string | null {
  return consoleUrl(api.config.gateway.host, api.presence.heartbeat().port);
}
