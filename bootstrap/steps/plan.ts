/** Shows what will be made and what it costs, and asks once. */
import { ConfigError, ToolError } from "../../tools/errors.ts";
import { aws } from "../../tools/fleet/aws/errors.ts";
import { awsSettingsSchema } from "../../tools/fleet/aws/settings.ts";
import { fromEc2Tags, instanceTag, nameTag, ownedFilters } from "../../tools/fleet/aws/tags.ts";
import { table } from "../../tools/text-table.ts";
import { userName } from "../author.ts";
import { estimateCost } from "../cost.ts";
import { chooseRevision } from "../revision.ts";
import type { BootstrapContext, BootstrapStep } from "../step.ts";

/** `later`: the steps that come after it, whose sentences make the table. */
export function planStep(later: readonly BootstrapStep[]): BootstrapStep {
  return {
    name: "plan",
    title: "plan",
    describe: () => "show what will be made and what it costs, and ask once",

    async isDone({ journal, options }) {
      return !options.dryRun && journal.read().consent !== null;
    },

    async run(context) {
      const { options, speaker, journal } = context;
      await refuseRunningName(context);
      const { commit, warnings } = await chooseRevision(context);
      const settings = { ...awsSettingsSchema.parse({ bucket: "unused" }), region: options.region };
      const cost = estimateCost({ settings, sendsImage: options.ami === null });
      const steps = later.map((step) => ({ step: step.name, what: step.describe(context) }));
      speaker.say(
        "plan",
        [
          `Fleet ${options.fleet} in ${options.region}: ${options.name} at ${commit.slice(0, 12)}`,
          "",
          table([["STEP", "WHAT IT MAKES"], ...steps.map(({ step, what }) => [step, what])]),
          "",
          table([
            ["COST (US$)", "ONCE", "A MONTH"],
            ...cost.lines.map((line) => [line.what, usd(line.onceUsd), usd(line.monthlyUsd)]),
            ["together", usd(cost.onceUsd), usd(cost.monthlyUsd)],
          ]),
          cost.note,
          ...warnings.map((warning) => `! ${warning}`),
        ].join("\n"),
        {
          fleet: options.fleet,
          name: options.name,
          revision: commit,
          steps,
          cost: { ...cost, lines: [...cost.lines] },
          warnings,
        } as never,
      );
      if (options.dryRun) return {};
      await agree(context);
      await journal.change((record) => {
        record.consent = {
          at: new Date().toISOString(),
          by: userName(context.environment),
          name: options.name,
          revision: commit,
          monthlyUsd: cost.monthlyUsd,
        };
      });
      return {};
    },
  };
}

function usd(value: number): string {
  return value.toFixed(2);
}

async function agree({ options, prompt }: BootstrapContext): Promise<void> {
  if (options.yes) return;
  if (!prompt.isPossible) {
    throw new ConfigError("nobody can be asked here: this is no terminal", {
      code: "consent_missing",
      hint: "look at the plan with --dry-run, then say yes to it with --yes",
    });
  }
  const answer = await prompt.ask("\nMake all of this? Type yes: ");
  if (/^y(es)?$/i.test(answer)) return;
  throw new ToolError("you did not say yes; nothing was changed", {
    code: "declined",
    hint: "run the same command again when you want it",
  });
}

/** A machine under this name that an earlier bootstrap, or the fleet itself, launched. */
async function refuseRunningName({ clients, options, journal }: BootstrapContext): Promise<void> {
  if (journal.read().steps.launch) return;
  const [{ DescribeInstancesCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const { Reservations = [] } = await aws("looking for instances of the fleet", () =>
    client.send(
      new DescribeInstancesCommand({
        Filters: [
          ...ownedFilters(options.fleet, { [nameTag]: options.name }),
          { Name: "instance-state-name", Values: ["pending", "running", "stopping", "stopped"] },
        ],
      }),
    ),
  );
  const [found] = Reservations.flatMap(({ Instances = [] }) => Instances);
  if (!found) return;
  throw new ToolError(
    `${options.name} of the fleet ${options.fleet} runs already: ${found.InstanceId} (${fromEc2Tags(found.Tags)[instanceTag] ?? "unknown instance"})`,
    {
      code: "name_held",
      hint: "ask it to grow or replace itself, take another --name or --fleet, or undo everything with --teardown",
    },
  );
}
