import { ConfigError } from "../../tools/errors.ts";
import { readCredentials } from "../credentials.ts";
import { fleetPaths } from "../paths.ts";
import type { ApprovalView } from "../protocol.ts";
import { type Client, connect } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { table, timeOf } from "./output.ts";

interface ListedMaintainer {
  id: string;
  name: string;
  createdAt: number;
  approver: boolean;
  discord?: string;
}

export async function list(context: CommandContext): Promise<void> {
  const { maintainers } = await (await connect(context)).get<{ maintainers: ListedMaintainer[] }>(
    "/control/maintainers",
  );
  context.output.result({ maintainers }, () =>
    table(
      ["ID", "NAME", "APPROVER", "DISCORD USER", "SINCE (UTC)"],
      maintainers.map((one) => [
        one.id,
        one.name,
        one.approver ? "yes" : "no",
        one.discord ?? "-",
        timeOf(one.createdAt),
      ]),
    ),
  );
}

export async function add(context: CommandContext, name: string, options: Record<string, unknown>): Promise<void> {
  const client = await connect(context);
  const added = await client.post<{ maintainer: ListedMaintainer; token: string; url: string | null }>(
    "/control/maintainers",
    { name },
  );
  const approval = options.approver === true ? await proposeApprover(client, added.maintainer.id) : null;
  const login = added.url ? `${added.url}/#login=${added.token}` : null;
  context.output.result({ ...added, login, approval: approval?.id ?? null }, () =>
    [
      `${added.maintainer.name} is maintainer ${added.maintainer.id}`,
      `token    ${added.token}`,
      ...(login ? [`login    ${login}`] : []),
      "The token is shown this once. Give it to them over a private channel.",
      approval
        ? `To let them approve: clawdinator approvals approve ${approval.id}`
        : `They may ask, and cannot approve until the policy names them: clawdinator maintainers add … --approver proposes that.`,
    ].join("\n"),
  );
}

/** The policy in force with one more approver, as a proposal. */
async function proposeApprover(client: Client, id: string): Promise<ApprovalView> {
  const { policy } = await client.get<{ policy: { approvers: string[] } }>("/control/policy");
  const input = { policy: { ...policy, approvers: [...policy.approvers, id] } };
  return (await client.post<{ approval: ApprovalView }>("/api/operations", { operation: "policy_change", input }))
    .approval;
}

export async function remove(context: CommandContext, id: string): Promise<void> {
  const { maintainer } = await (await connect(context)).post<{ maintainer: ListedMaintainer }>(
    `/control/maintainers/${encodeURIComponent(id)}/remove`,
    {},
  );
  context.output.result(
    { maintainer },
    () => `${maintainer.name} (${maintainer.id}) is removed; their token no longer works`,
  );
}

/** `discord`: their user id there; null takes the link back. */
export async function link(context: CommandContext, id: string, discord: string | null): Promise<void> {
  const { maintainer } = await (await connect(context)).post<{ maintainer: ListedMaintainer }>(
    `/control/maintainers/${encodeURIComponent(id)}/link`,
    { discord },
  );
  context.output.result({ maintainer }, () =>
    discord === null
      ? `${maintainer.name} (${maintainer.id}) is nobody in Discord`
      : `${maintainer.name} (${maintainer.id}) is Discord user ${discord}; wherever they vote, it is one vote`,
  );
}

export async function login(context: CommandContext): Promise<void> {
  const { url } = await (await connect(context)).get<{ url: string | null }>("/control/login");
  const token = process.env.CLAWDINATOR_TOKEN ?? readCredentials(fleetPaths(context.home).credentials)?.token;
  if (!url || !token) {
    throw new ConfigError("the console does not listen right now", {
      code: "no_console",
      hint: "`clawdinator fleet status` shows the instance's state",
    });
  }
  const link = `${url}/#login=${token}`;
  context.output.result({ login: link }, () => link);
}
