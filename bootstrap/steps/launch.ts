/**
 * The first instance, by the operation `instance_launch` like every later one: planned, approved, journalled in the
 * store, audited. The "yes" to the bootstrap's plan is the vote, and it is given to nothing that exceeds what was shown.
 */
import { failpoint } from "../../agent/gateway/failpoint.ts";
import { ensureFirstMaintainer } from "../../agent/gateway/first-start.ts";
import type { Maintainer } from "../../agent/gateway/maintainers.ts";
import type { ApprovalView, OperationView } from "../../agent/protocol.ts";
import { ConfigError, ToolError } from "../../tools/errors.ts";
import { writeFirstDesired } from "../../tools/fleet/desired.ts";
import { pinFirstPolicy } from "../../tools/policy-pin.ts";
import { adoptAmi } from "../ami.ts";
import { userName } from "../author.ts";
import { buildByCi } from "../build-by-ci.ts";
import type { JournalRecord } from "../journal.ts";
import type { RunningFleet } from "../running-fleet.ts";
import type { BootstrapContext, BootstrapStep } from "../step.ts";
import { adminToken } from "../token.ts";
import { listMachines, removeMachines } from "./machines.ts";

type Consent = NonNullable<JournalRecord["consent"]>;

/** Approvals that lapsed or were overtaken since the last run; more of them in one run means that something is wrong. */
const proposalsPerRun = 5;

export const launch: BootstrapStep = {
  name: "launch",
  title: "first instance",
  describe: ({ options }) => {
    const image = options.ami
      ? `register ${options.ami} as the fleet's image`
      : options.build === "ci"
        ? "have CI build the machine image (30 to 45 minutes)"
        : "build the machine image here (20 to 30 minutes) and import it";
    return `${image}; launch ${options.name} by the operation instance_launch`;
  },

  async isDone(context) {
    const { operation } = context.journal.outputs("launch");
    if (typeof operation !== "string") return false;
    const found = await (await context.fleet()).core.operations.get(operation);
    return found !== null && hasLaunched(found);
  },

  async run(context) {
    const consent = context.journal.read().consent;
    if (!consent) {
      throw new ToolError("nobody has agreed to a plan yet", {
        code: "consent_missing",
        hint: "run the bootstrap without --only",
      });
    }
    const fleet = await context.fleet();
    await seedStore(fleet);
    failpoint("launch.seeded");
    const maintainer = await ensureMaintainer(context, fleet);
    failpoint("launch.maintainer");
    if (context.options.ami) await adoptAmi(context, { id: context.options.ami, commit: consent.revision });
    else if (context.options.build === "ci") await buildByCi(context, consent.revision);
    failpoint("launch.image");
    const id = await approvedOperation(context, { fleet, maintainer, consent });
    await remember(context, { operation: id });
    failpoint("launch.operation");
    const operation = await fleet.drive(id, (one) => hasLaunched(one) || one.endedAt !== null);
    if (!hasLaunched(operation)) throw operationError(context, operation);
    return { ...context.journal.outputs("launch"), operation: id };
  },

  list: listMachines,
  undo: removeMachines,
};

/** From here the boot is followed by the next step. */
function hasLaunched(operation: OperationView): boolean {
  if (operation.state === "succeeded") return true;
  const started = operation.steps.find(({ name }) => name === "start_candidate");
  return started?.state === "succeeded" && operation.state === "running" && !operation.compensating;
}

/** Policy and desired state as the fleet repository has them; what is pinned already stays. */
async function seedStore({ core }: RunningFleet): Promise<void> {
  const { store, repository } = core;
  const [desired, pin] = [await store.get("fleet/desired"), await store.get("policy/pin")];
  if (desired && pin) return;
  const commit = await repository.tip();
  await pinFirstPolicy(store, { commit, text: await repository.policyTextAt(commit) });
  await writeFirstDesired(store, { commit, state: await repository.desiredAt(commit) });
}

/** Whose vote the "yes" is: the first maintainer, made now; or the one whose token this user has. */
async function ensureMaintainer(context: BootstrapContext, { core, instance }: RunningFleet): Promise<Maintainer> {
  const known = await adminToken(context, core);
  if (known) return known.maintainer;
  await ensureFirstMaintainer({
    maintainers: core.maintainers,
    paths: context.paths,
    name: userName(context.environment),
    audit: core.audit,
    instance,
  });
  const made = await adminToken(context, core);
  if (made) {
    context.redactor.hide(made.token);
    return made.maintainer;
  }
  throw new ConfigError("this fleet has maintainers already, and this user has no token of theirs", {
    code: "no_token",
    hint: "set CLAWDINATOR_TOKEN to a maintainer's token of this fleet",
  });
}

/** The id of an operation that runs, or ran well, for exactly one approved plan. */
async function approvedOperation(
  context: BootstrapContext,
  options: { fleet: RunningFleet; maintainer: Maintainer; consent: Consent },
): Promise<string> {
  const { core } = options.fleet;
  for (let count = 0; count < proposalsPerRun; count++) {
    const attempt = Number(context.journal.outputs("launch").attempt ?? 1);
    const approval = await newest(core, await propose(context, { ...options, attempt }));
    const next = await settle(context, { ...options, approval });
    if (next === "again") continue;
    if (next !== "next") return next;
    await remember(context, { attempt: attempt + 1 });
  }
  throw new ToolError("the launch's plan changed again and again before it could begin", {
    code: "plan_unstable",
    hint: "see that nobody else changes the fleet just now, then run the same command again",
  });
}

/** One approval a step further: an operation's id, or `again` to look once more, or `next` for a new proposal. */
async function settle(
  context: BootstrapContext,
  options: { fleet: RunningFleet; maintainer: Maintainer; consent: Consent; approval: ApprovalView },
): Promise<string> {
  const { approval, maintainer, consent, fleet } = options;
  const { core } = fleet;
  switch (approval.state) {
    case "pending": {
      checkConsent(approval, consent);
      showPlan(context, approval);
      const decided = await core.approvals.decide({
        id: approval.id,
        actor: { maintainer, surface: "cli", asLocal: false, by: maintainer },
        decision: {
          decision: "approve",
          digest: approval.digest,
          reason: `agreed to in the bootstrap by ${consent.by} at ${consent.at}`,
        },
      });
      failpoint("launch.decided");
      if (decided.outcome === "approved") return "again";
      // Another run of this bootstrap was faster: it is decided all the same.
      if (decided.outcome === "refused" && decided.code === "already_decided") return "again";
      throw new ToolError(`the launch was not approved: ${decided.message}`, {
        code: "not_approved",
        hint: "policy.json of the fleet repository must name you as an approver (numeric id), with a quorum of 1 for instance_launch",
      });
    }
    case "approved":
      await core.approvals.execute(approval.id, (record) => core.operations.start(record));
      return "again";
    case "executed": {
      const id = `op-${approval.digest.slice(0, 12)}`;
      const operation = await core.operations.get(id);
      const isOver = operation !== null && operation.endedAt !== null && operation.state !== "succeeded";
      return isOver ? "next" : id;
    }
    default:
      return "next";
  }
}

/** An approval that was overtaken by drift leads to the one that took its place. */
async function newest(core: RunningFleet["core"], first: ApprovalView): Promise<ApprovalView> {
  let approval = first;
  for (let count = 0; approval.state === "superseded" && approval.supersededBy && count < proposalsPerRun; count++)
    approval = (await core.approvals.get(approval.supersededBy)) ?? approval;
  return approval;
}

function propose(
  context: BootstrapContext,
  options: { fleet: RunningFleet; maintainer: Maintainer; consent: Consent; attempt: number },
): Promise<ApprovalView> {
  const { fleet, maintainer, consent, attempt } = options;
  return fleet.core.approvals.propose({
    operation: "instance_launch",
    input: { name: consent.name, revision: consent.revision },
    key: `bootstrap/${context.options.fleet}/${consent.name}/${consent.at}/${attempt}`,
    proposer: {
      kind: "maintainer",
      id: maintainer.id,
      name: maintainer.name,
      message: null,
      conversation: null,
      influencedByPublicText: false,
    },
  });
}

/** Throws where the plan is not covered by what was shown. */
function checkConsent({ plan }: ApprovalView, consent: Consent): void {
  const { name } = plan.facts as { name?: string };
  const { revision } = (plan.facts.image ?? {}) as { revision?: string };
  if (name !== consent.name || revision !== consent.revision || plan.cost.monthlyUsd > consent.monthlyUsd) {
    throw new ToolError(
      `the launch's plan (${name} at ${revision?.slice(0, 12)}, $${plan.cost.monthlyUsd.toFixed(2)} a month) is not what was agreed to (${consent.name} at ${consent.revision.slice(0, 12)}, $${consent.monthlyUsd.toFixed(2)} a month)`,
      {
        code: "plan_exceeds_consent",
        hint: "look at it, then agree anew: run the bootstrap with --only plan, and then again",
      },
    );
  }
}

function showPlan({ speaker }: BootstrapContext, { id, plan, digest }: ApprovalView): void {
  const changes = plan.changes.map(
    ({ what, after }) => `  ${what}: ${typeof after === "string" ? after : JSON.stringify(after)}`,
  );
  speaker.say("note", [`${plan.summary} (approval ${id}, digest ${digest.slice(0, 12)})`, ...changes].join("\n"), {
    approval: id,
    digest,
    warnings: plan.warnings,
  });
}

async function remember(context: BootstrapContext, outputs: { [key: string]: string | number }): Promise<void> {
  await context.journal.change((record) => {
    const step = record.steps.launch;
    if (step) Object.assign(step.outputs, outputs);
  });
}

/** What an operation that ended badly says, with the console's last lines and the next command. */
export function operationError({ options }: BootstrapContext, operation: OperationView): ToolError {
  const failed = operation.steps.find(({ error }) => error !== null);
  const { message = operation.state, hint = "", log = [] } = operation.error ?? {};
  const lines = log.length > 0 ? `\nThe end of its console:\n${log.map((line) => `  ${line}`).join("\n")}` : "";
  return new ToolError(
    `${operation.summary} ended as ${operation.state}${failed ? ` at ${failed.name}` : ""}: ${message}${lines}`,
    {
      code: "launch_failed",
      hint: `${hint ? `${hint}; ` : ""}what it had made is removed again. docs/troubleshooting.md has the symptoms; then run the same command again for another attempt at ${options.name}`,
    },
  );
}
