/** Looks whether everything is there before anything is changed; says all that is missing together. */
import { ConfigError, describeError } from "../../tools/errors.ts";
import { aws, awsErrorCode } from "../../tools/fleet/aws/errors.ts";
import { awsSettingsSchema } from "../../tools/fleet/aws/settings.ts";
import { withoutCredentials } from "../../tools/fleet/git.ts";
import { accountOf } from "../account.ts";
import { author } from "../author.ts";
import { environmentFor, runChild } from "../child.ts";
import { openUserGit, remoteTip } from "../git.ts";
import { githubRepository, installGh, whyNoGh } from "../github.ts";
import { programAddress, remoteOf } from "../program.ts";
import type { BootstrapContext, BootstrapStep } from "../step.ts";
import { installTofu } from "../tofu.ts";

/** `use_lockfile` of the S3 backend came with this one. */
const oldestTofu = [1, 10] as const;

interface Tool {
  name: "git" | "tofu" | "nix";
  parameters: string[];
  install: string;
  isNeeded(context: BootstrapContext): boolean;
}

const tools: Tool[] = [
  {
    name: "git",
    parameters: ["--version"],
    install: "`apt install git`, `dnf install git` or `brew install git`",
    isNeeded: () => true,
  },
  { name: "tofu", parameters: ["version", "-json"], install: installTofu, isNeeded: () => true },
  {
    name: "nix",
    parameters: ["--version"],
    install:
      "install Nix: https://nixos.org/download or https://determinate.systems/nix; or let CI build with --build ci",
    isNeeded: ({ options }) => options.build === "here" && options.ami === null,
  },
];

export const check: BootstrapStep = {
  name: "check",
  title: "check this machine and the account",
  describe: () => "look at tools, credentials, region and repositories; change nothing",
  isDone: async () => false,

  async run(context) {
    const problems: { message: string; hint: string }[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      await work().catch((error: unknown) => {
        context.signal.throwIfAborted();
        const { message, hint } = describeError(error);
        problems.push({ message, hint });
      });
    };
    for (const tool of tools) if (tool.isNeeded(context)) await attempt(() => checkTool(context, tool));
    let hasAccount = false;
    await attempt(async () => {
      const account = await accountOf(context.clients);
      hasAccount = true;
      context.speaker.say("note", `AWS account ${account.id} as ${account.arn}, region ${context.options.region}`);
    });
    // Without credentials the rest would say the same again; and once agreed to, the account has been looked at.
    const isNew = context.journal.read().consent === null;
    if (isNew && hasAccount) await attempt(() => checkRegion(context));
    await attempt(async () => {
      const { environment, program, signal } = context;
      const git = openUserGit({ directory: program, environment, author: author(environment), signal });
      await remoteTip(git, remoteOf(context));
    });
    await attempt(async () => {
      context.speaker.say("note", `the program comes from ${withoutCredentials(await programAddress(context))}`);
    });
    await attempt(() => checkGh(context));
    if (problems.length > 0) throw everything(problems);
    return {};
  },
};

function everything(problems: { message: string; hint: string }[]): ConfigError {
  const [first] = problems;
  if (problems.length === 1 && first) {
    return new ConfigError(first.message, { code: "check_failed", hint: first.hint });
  }
  const lines = problems.map(({ message, hint }) => `  ${message}\n    → ${hint}`);
  return new ConfigError(`${problems.length} things are missing:\n${lines.join("\n")}`, {
    code: "check_failed",
    hint: "mend these, then run the same command again; nothing has been changed",
  });
}

async function checkTool(context: BootstrapContext, tool: Tool): Promise<void> {
  const { code, stdout, stderr } = await runChild({
    command: tool.name,
    parameters: tool.parameters,
    directory: context.program,
    environment: environmentFor(tool.name, context.environment),
    signal: context.signal,
    install: tool.install,
  });
  if (code !== 0) {
    throw new ConfigError(`${tool.name} does not work: ${(stderr || stdout).trim().split("\n")[0] ?? ""}`, {
      code: `${tool.name}_broken`,
      hint: tool.install,
    });
  }
  if (tool.name !== "tofu") return;
  const version = versionOf(stdout);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > oldestTofu[0] || (major === oldestTofu[0] && minor >= oldestTofu[1])) return;
  throw new ConfigError(`tofu is version ${version || "unknown"}, and ${oldestTofu.join(".")} or newer is needed`, {
    code: "tofu_too_old",
    hint: tool.install,
  });
}

function versionOf(text: string): string {
  try {
    return String((JSON.parse(text) as { terraform_version?: unknown }).terraform_version ?? "");
  } catch {
    return "";
  }
}

/** The region is usable, it offers the instance type, and it has a network to launch in. */
async function checkRegion({ clients, options }: BootstrapContext): Promise<void> {
  const { region } = options;
  const { instanceType } = awsSettingsSchema.parse({ bucket: "unused" });
  const [sdk, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const offered = await client
    .send(
      new sdk.DescribeInstanceTypeOfferingsCommand({
        LocationType: "availability-zone",
        Filters: [{ Name: "instance-type", Values: [instanceType] }],
      }),
    )
    .catch((error: unknown) => {
      if (!/^(AuthFailure|OptInRequired)$/.test(awsErrorCode(error)))
        return aws(`looking at the region ${region}`, () => Promise.reject(error));
      throw new ConfigError(`the region ${region} is not open to this account`, {
        code: "region_closed",
        hint: "enable it in the AWS console (Account, AWS Regions), or name another with --region",
        cause: error,
      });
    });
  if ((offered.InstanceTypeOfferings ?? []).length === 0) {
    throw new ConfigError(`${region} offers no ${instanceType}`, {
      code: "type_not_offered",
      hint: "name another region with --region",
    });
  }
  const subnets = await aws("looking for the default network", () =>
    client.send(new sdk.DescribeSubnetsCommand({ Filters: [{ Name: "default-for-az", Values: ["true"] }] })),
  );
  if ((subnets.Subnets ?? []).length > 0) return;
  throw new ConfigError(`${region} has no default VPC with a subnet`, {
    code: "no_network",
    hint: "make one (`aws ec2 create-default-vpc`), or name yours by vpc_id and subnet_ids in tofu/variables.json of the fleet repository",
  });
}

async function checkGh(context: BootstrapContext): Promise<void> {
  const { options } = context;
  if (options.build !== "ci" || options.ami !== null) return;
  if (options.remote === null || !githubRepository(options.remote)) {
    throw new ConfigError("--build ci needs a fleet repository on GitHub, whose workflow builds the image", {
      code: "ci_impossible",
      hint: "take --build here, or a --remote on github.com",
    });
  }
  const why = await whyNoGh(context);
  if (why) throw new ConfigError(`--build ci needs gh: ${why}`, { code: "gh_missing", hint: installGh });
}
