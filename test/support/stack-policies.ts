/** The stack's policies, rendered for one imagined account in which everything is called as the defaults call it. */
import { emulatorRegion } from "./aws.ts";
import { ministackAccount } from "./ministack.ts";
import { type PolicyDocument, type PolicyValues, renderPolicy } from "./policy.ts";
import type { Stack } from "./tofu.ts";

const account = ministackAccount;
const region = emulatorRegion;
const ec2 = `arn:aws:ec2:${region}:${account}`;

/** ARNs of what the stack makes. */
export const arns = {
  bucket: "arn:aws:s3:::clawdinator-images-test",
  launchTemplate: `${ec2}:launch-template/lt-0aaaaaaaaaaaaaaaa`,
  securityGroup: `${ec2}:security-group/sg-0aaaaaaaaaaaaaaaa`,
  subnet: `${ec2}:subnet/subnet-0aaaaaaaaaaaaaaaa`,
  fileSystem: `arn:aws:elasticfilesystem:${region}:${account}:file-system/fs-0aaaaaaaaaaaaaaaa`,
  switchDocument: `arn:aws:ssm:${region}:${account}:document/clawdinator-switch`,
  instanceRole: `arn:aws:iam::${account}:role/clawdinator-instance`,
  instanceProfile: `arn:aws:iam::${account}:instance-profile/clawdinator-instance`,
  vmimportRole: `arn:aws:iam::${account}:role/vmimport`,
  oidcProvider: `arn:aws:iam::${account}:oidc-provider/token.actions.githubusercontent.com`,
};

const secret = (path: string): string => `arn:aws:secretsmanager:${region}:${account}:secret:clawdinator/${path}`;

const values: PolicyValues = {
  "local.partition": "aws",
  "local.account": account,
  "var.aws_region": region,
  "var.fleet": "clawdinator",
  "var.ci_repository": "someone/fleet",
  "var.ci_branch": "main",
  "local.shared_secret_arns": [
    secret("anthropic-api-key-??????"),
    secret("discord-token-??????"),
    secret("github-app-pem-??????"),
    secret("openai-api-key-??????"),
  ],
  "local.launch_network_arns": [
    arns.subnet,
    arns.securityGroup,
    arns.launchTemplate,
    `${ec2}:network-interface/*`,
    `${ec2}:key-pair/clawdinator`,
  ],
  "local.github_oidc_provider_arn": arns.oidcProvider,
  "aws_s3_bucket.images.arn": arns.bucket,
  "aws_s3_bucket.pr_intent[0].arn": "arn:aws:s3:::clawdinator-intent-test",
  "aws_launch_template.instance.arn": arns.launchTemplate,
  "aws_efs_file_system.memory.arn": arns.fileSystem,
  "aws_ssm_document.switch.arn": arns.switchDocument,
};

export function stackPolicy(stack: Stack, name: string, more: PolicyValues = {}): PolicyDocument {
  return renderPolicy(stack, name, { ...values, ...more });
}

/** Inline policies of a machine's role: of the one for all, or of a name's own. */
export function inlineInstancePolicies(stack: Stack, name: string | null = null, more: PolicyValues = {}) {
  const common = ["store", "secrets", "fleet", "memory", "sessions"];
  return [
    ...common.map((part) => stackPolicy(stack, `instance_${part}`, more)),
    name === null
      ? stackPolicy(stack, "unnamed_secrets", more)
      : stackPolicy(stack, "named_secrets", { ...more, "each.key": name }),
  ];
}

/** All policies of a machine's role. */
export function instancePolicies(stack: Stack, name: string | null = null): PolicyDocument[] {
  return [...inlineInstancePolicies(stack, name), stackPolicy(stack, "instance_images")];
}
