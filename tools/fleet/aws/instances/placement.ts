/** Where and from what instances are launched: what a plan binds, resolved to things that cannot change by themselves. */
import type { LaunchTemplateVersion, Subnet } from "@aws-sdk/client-ec2";
import { z } from "zod";
import { ToolError } from "../../../errors.ts";
import type { Json } from "../../../json.ts";
import type { AwsClients } from "../clients.ts";
import { aws } from "../errors.ts";
import type { AwsSettings } from "../settings.ts";
import { fromEc2Tags, isOwned } from "../tags.ts";

const placementSchema = z.object({
  launchTemplate: z.string(),
  /** A number: `$Default` and `$Latest` would mean something else after the approval. A version never changes. */
  version: z.number().int().min(1),
  instanceType: z.string(),
  /** In the order in which they are tried; empty: the template's. */
  subnets: z.array(z.string()),
  rootGiB: z.number().int(),
  /** By name; a name without one gets the template's. */
  instanceProfiles: z.record(z.string(), z.string()).default({}),
});
export type Placement = z.output<typeof placementSchema>;

/** Throws ToolError when it is not a placement, such as one from a plan of another provider. */
export function parsePlacement(placement: Json): Placement {
  const result = placementSchema.safeParse(placement);
  if (result.success) return result.data;
  throw new ToolError("the plan does not say where on AWS the instance is to be launched", {
    code: "placement_invalid",
    hint: "cancel the operation and propose it again",
  });
}

/** The settings' placement as of now. Throws ToolError where the launch template is missing, not ours or unfit. */
export async function resolvePlacement(options: {
  settings: AwsSettings;
  clients: AwsClients;
}): Promise<{ placement: Placement; hasPublicAddress: boolean }> {
  const { settings, clients } = options;
  const { launchTemplate, instanceType, rootGiB, instanceProfiles } = settings;
  if (!launchTemplate) {
    throw new ToolError("no launch template is configured, so nothing can be launched on AWS", {
      code: "launch_template_missing",
      hint: "apply the stack (docs/deploy.md) and set `aws.launchTemplate` to its output `launch_template_id`",
    });
  }
  const version = await defaultVersion(launchTemplate, options);
  const template = await readTemplateVersion(clients, { launchTemplate, version });
  const problems = problemsOf(template);
  if (problems.length > 0) {
    throw new ToolError(`launch template ${launchTemplate} version ${version} cannot be used: ${problems.join("; ")}`, {
      code: "launch_template_unfit",
      hint: "apply the stack again (docs/deploy.md): it makes a version that is as it must be",
    });
  }
  const subnets = [...new Set(settings.subnets)];
  return {
    placement: { launchTemplate, version, instanceType, subnets, rootGiB, instanceProfiles },
    hasPublicAddress: await givesPublicAddress(clients, { template, subnets }),
  };
}

async function defaultVersion(
  launchTemplate: string,
  { settings, clients }: { settings: AwsSettings; clients: AwsClients },
): Promise<number> {
  const { LaunchTemplates = [] } = await aws(`reading launch template ${launchTemplate}`, async () => {
    const [{ DescribeLaunchTemplatesCommand }, client] = await Promise.all([
      import("@aws-sdk/client-ec2"),
      clients.ec2(),
    ]);
    return client.send(new DescribeLaunchTemplatesCommand({ LaunchTemplateIds: [launchTemplate] }));
  });
  const [found] = LaunchTemplates;
  if (found?.DefaultVersionNumber === undefined) {
    throw new ToolError(`there is no launch template ${launchTemplate} in ${settings.region}`, {
      code: "launch_template_missing",
      hint: "compare `aws.launchTemplate` and `aws.region` with the stack's outputs",
    });
  }
  if (!isOwned(fromEc2Tags(found.Tags), settings.fleet)) {
    throw new ToolError(`launch template ${launchTemplate} does not carry the tags of the fleet ${settings.fleet}`, {
      code: "not_ours",
      hint: "set `aws.launchTemplate` and `aws.fleet` to the outputs of one and the same stack",
    });
  }
  return found.DefaultVersionNumber;
}

export async function readTemplateVersion(
  clients: AwsClients,
  { launchTemplate, version }: Pick<Placement, "launchTemplate" | "version">,
): Promise<LaunchTemplateVersion> {
  const what = `launch template ${launchTemplate} version ${version}`;
  const { LaunchTemplateVersions = [] } = await aws(`reading ${what}`, async () => {
    const [{ DescribeLaunchTemplateVersionsCommand }, client] = await Promise.all([
      import("@aws-sdk/client-ec2"),
      clients.ec2(),
    ]);
    return client.send(
      new DescribeLaunchTemplateVersionsCommand({ LaunchTemplateId: launchTemplate, Versions: [String(version)] }),
    );
  });
  const [found] = LaunchTemplateVersions;
  if (found) return found;
  throw new ToolError(`${what} does not exist`, {
    code: "launch_template_missing",
    hint: "propose it again: the plan will bind the version that is the default now",
  });
}

/** What a machine must not be launched without. */
function problemsOf({ LaunchTemplateData: data = {} }: LaunchTemplateVersion): string[] {
  const metadata = data.MetadataOptions ?? {};
  const problems: string[] = [];
  if (metadata.HttpTokens !== "required") problems.push("the metadata service is open without a token (IMDSv1)");
  if (metadata.HttpPutResponseHopLimit !== 1)
    problems.push(`the metadata service answers over ${metadata.HttpPutResponseHopLimit ?? "unset"} hops, must be 1`);
  if (!data.IamInstanceProfile?.Name && !data.IamInstanceProfile?.Arn) problems.push("it has no instance profile");
  return problems;
}

/** The template's word, or else what any of the subnets does. */
async function givesPublicAddress(
  clients: AwsClients,
  { template, subnets }: { template: LaunchTemplateVersion; subnets: string[] },
): Promise<boolean> {
  const [network] = template.LaunchTemplateData?.NetworkInterfaces ?? [];
  if (network?.AssociatePublicIpAddress !== undefined) return network.AssociatePublicIpAddress;
  const ids = subnets.length > 0 ? subnets : network?.SubnetId ? [network.SubnetId] : [];
  const found = await describeSubnets(clients, ids);
  return found.some((subnet) => subnet.MapPublicIpOnLaunch);
}

/** Without ids: those that a launch without a subnet may end up in. */
export async function describeSubnets(clients: AwsClients, ids: string[]): Promise<Subnet[]> {
  return aws("reading the subnets", async () => {
    const [{ DescribeSubnetsCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
    const Filters = [{ Name: "default-for-az", Values: ["true"] }];
    const { Subnets = [] } = await client.send(
      new DescribeSubnetsCommand(ids.length > 0 ? { SubnetIds: ids } : { Filters }),
    );
    return Subnets;
  });
}
