/** An AMI that exists already: whose it is, what it was built from, and making it this fleet's. */
import { ToolError } from "../tools/errors.ts";
import { aws, isNotFound } from "../tools/fleet/aws/errors.ts";
import { imageOfDerivation } from "../tools/fleet/aws/images/derivations.ts";
import {
  derivationTag,
  fleetTag,
  fromEc2Tags,
  imageTag,
  ownedBy,
  revisionTag,
  type Tags,
  toEc2Tags,
} from "../tools/fleet/aws/tags.ts";
import { accountOf } from "./account.ts";
import type { BootstrapContext } from "./step.ts";

interface KnownAmi {
  id: string;
  tags: Tags;
  snapshots: string[];
  /** The commit that it says it was built from. */
  revision: string | undefined;
}

/** Throws ToolError where it does not exist, is not available, or belongs to somebody else. */
export async function describeAmi(context: BootstrapContext, id: string): Promise<KnownAmi> {
  const { clients, options } = context;
  const [{ DescribeImagesCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const found = await client.send(new DescribeImagesCommand({ ImageIds: [id] })).catch((error: unknown) => {
    if (isNotFound(error)) return null;
    return aws(`looking at ${id}`, () => Promise.reject(error));
  });
  const image = found?.Images?.[0];
  const refuse = (code: string, why: string, hint: string): never => {
    throw new ToolError(`${id} ${why}`, { code, hint });
  };
  if (!image) return refuse("ami_unknown", `does not exist in ${options.region}`, "check the id and --region");
  const account = await accountOf(clients);
  if (image.OwnerId !== account.id) {
    return refuse(
      "ami_foreign",
      `belongs to the account ${image.OwnerId}, not to ${account.id}`,
      "name an AMI of your own; one that is only shared with you can change or vanish",
    );
  }
  if (image.State !== "available")
    return refuse("ami_unusable", `is ${image.State}, not available`, "wait until it is available, or name another");
  const tags = fromEc2Tags(image.Tags);
  const fleet = tags[fleetTag];
  if (fleet !== undefined && fleet !== options.fleet)
    return refuse("ami_foreign", `belongs to the fleet ${fleet}`, "copy it (`aws ec2 copy-image`) and name the copy");
  const snapshots = (image.BlockDeviceMappings ?? []).flatMap(({ Ebs }) => (Ebs?.SnapshotId ? [Ebs.SnapshotId] : []));
  return { id, tags, snapshots, revision: tags[revisionTag] };
}

/** Tags it, and its snapshots, as this fleet's image of that commit. What it says of itself already stays. */
export async function adoptAmi(context: BootstrapContext, options: { id: string; commit: string }): Promise<void> {
  const { id, commit } = options;
  const { tags, snapshots } = await describeAmi(context, id);
  // One that nix built elsewhere has no derivation here: its own id stands for it, and nothing else can have that.
  const derivation = tags[derivationTag] || `ami:${id}`;
  const wanted: Tags = {
    ...ownedBy(context.options.fleet),
    [imageTag]: imageOfDerivation(derivation).id,
    [revisionTag]: commit,
    [derivationTag]: derivation,
  };
  const missing = Object.entries(wanted).filter(([key, value]) => tags[key] !== value);
  if (missing.length === 0) return;
  const [{ CreateTagsCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), context.clients.ec2()]);
  await aws(`tagging ${id}`, () =>
    client.send(new CreateTagsCommand({ Resources: [id, ...snapshots], Tags: toEc2Tags(wanted) })),
  );
}
