/** The stack as it is written: what it must have, and what it must never open. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "@cdktf/hcl2json";
import { beforeAll, expect, test } from "vitest";
import { parseUserData } from "../../tools/fleet/aws/instances/user-data.ts";
import { fleetTag, imageTag, instanceTag, nameTag, ownedTag, revisionTag } from "../../tools/fleet/aws/tags.ts";
import { knownSecrets } from "../../tools/secrets/secrets.ts";
import { type Block, blocksOf, readStack, resourcesOf, type Stack, stackDirectory } from "../support/tofu.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await readStack();
});

const resource = (type: string, name: string): Block => stack.resources[type]?.[name]?.[0] ?? {};
const isProtected = (block: Block): boolean => blocksOf(block, "lifecycle")[0]?.prevent_destroy === true;

/** What would be lost, or would leave running machines without something they need. */
const stateful = [
  "aws_s3_bucket.images",
  "aws_s3_bucket.pr_intent",
  "aws_efs_file_system.memory",
  "aws_efs_access_point.memory",
  "aws_iam_role.instance",
  "aws_iam_role.named",
  "aws_iam_instance_profile.instance",
  "aws_iam_instance_profile.named",
  "aws_iam_role.vmimport",
  "aws_iam_role.ci",
  "aws_iam_user.ci",
  "aws_iam_openid_connect_provider.github",
  "aws_instance.first",
  "aws_launch_template.instance",
  "aws_security_group.instance",
  "aws_security_group.memory",
];

test("protects everything that holds state, or that machines depend on, against being destroyed", () => {
  const found = resourcesOf(stack).filter(([, block]) => isProtected(block));
  expect(found.map(([address]) => address).sort()).toEqual([...stateful].sort());
});

test("every resource that a variable can switch off is protected, belongs to one that is, or holds nothing", () => {
  // Rules, keys and policies: nothing is lost that the next apply does not make again.
  const harmless = new Set([
    "aws_key_pair.maintainer",
    "aws_vpc_security_group_ingress_rule.ssh",
    "aws_vpc_security_group_ingress_rule.console",
    "aws_vpc_security_group_egress_rule.internet",
    "aws_vpc_security_group_egress_rule.internet_ipv6",
    "aws_iam_role_policy.unnamed_secrets",
    "aws_iam_role_policy_attachment.ci",
    "aws_iam_user_policy_attachment.ci",
    "aws_iam_policy.ci",
  ]);
  const bound = /\$\{(length\((aws_\w+\.\w+)\)|module\.names\.(named_roles|all_roles)|local\.subnets_by_zone)/;
  const loose = resourcesOf(stack).filter(([address, block]) => {
    const switchedBy = String(block.count ?? block.for_each ?? "");
    return switchedBy !== "" && !isProtected(block) && !harmless.has(address) && !bound.test(switchedBy);
  });
  // The key goes with its user, which is protected.
  expect(loose.map(([address]) => address)).toEqual(["aws_iam_access_key.ci"]);
});

test("the teardown file lifts exactly those protections", async () => {
  const text = readFileSync(join(stackDirectory, "teardown.tf.example"), "utf8");
  const parsed = (await parse("teardown.tf", text)) as { resource: Record<string, Record<string, Block[]>> };
  const lifted = Object.entries(parsed.resource).flatMap(([type, named]) =>
    Object.entries(named).map(([name, [block]]) => {
      expect(blocksOf(block, "lifecycle")[0]).toEqual({ prevent_destroy: false });
      return `${type}.${name}`;
    }),
  );
  expect(lifted.sort()).toEqual([...stateful].sort());
});

test("lets nobody in by default: no range is named, and no rule but NFS between the two groups stands without one", () => {
  expect(stack.variables.ssh_cidrs?.default).toEqual([]);
  expect(stack.variables.console_cidrs?.default).toEqual([]);
  const rules = stack.resources.aws_vpc_security_group_ingress_rule ?? {};
  expect(Object.keys(rules).sort()).toEqual(["console", "memory", "ssh"]);
  expect(rules.ssh?.[0]).toMatchObject({ for_each: `\${toset(var.ssh_cidrs)}`, from_port: 22, to_port: 22 });
  expect(rules.console?.[0]).toMatchObject({
    for_each: `\${toset(var.console_cidrs)}`,
    from_port: 18789,
    to_port: 18789,
  });
  expect(rules.memory?.[0]).toMatchObject({
    from_port: 2049,
    to_port: 2049,
    referenced_security_group_id: `\${aws_security_group.instance.id}`,
  });
  expect(JSON.stringify(rules)).not.toMatch(/0\.0\.0\.0|::\/0/);
  for (const group of Object.values(stack.resources.aws_security_group ?? {})) {
    expect(group[0]).not.toHaveProperty("ingress");
    expect(group[0]).not.toHaveProperty("egress");
  }
});

test("a VPC is taken with its subnets or not at all, and the subnets decide about public addresses as it was asked", () => {
  const conditions = (block: Block | undefined, kind: string): unknown[] =>
    blocksOf(blocksOf(block, "lifecycle")[0], kind).map(({ condition }) => condition);
  expect(conditions(stack.data.aws_vpc?.chosen?.[0], "precondition")).toEqual([
    `\${(var.vpc_id == "") == (length(var.subnet_ids) == 0)}`,
  ]);
  expect(conditions(stack.data.aws_subnet?.chosen?.[0], "postcondition")).toHaveLength(1);
  expect(String(conditions(resource("aws_launch_template", "instance"), "precondition"))).toContain(
    "map_public_ip_on_launch == var.public_address",
  );
});

test("states the egress: HTTPS to the internet, NFS to the memory, nothing else", () => {
  expect(stack.variables.egress_ports?.default).toEqual([443]);
  expect(Object.keys(stack.resources.aws_vpc_security_group_egress_rule ?? {}).sort()).toEqual([
    "internet",
    "internet_ipv6",
    "memory",
  ]);
});

test("instances take IMDSv2 only, within one hop, and have an encrypted gp3 root of 40 GiB", () => {
  const template = resource("aws_launch_template", "instance");
  const metadata = { http_tokens: "required", http_put_response_hop_limit: 1, http_endpoint: "enabled" };
  expect(template).toMatchObject({
    name: `\${var.fleet}`,
    update_default_version: true,
    metadata_options: [metadata],
    iam_instance_profile: [{ name: `\${aws_iam_instance_profile.instance.name}` }],
    block_device_mappings: [{ ebs: [{ volume_type: "gp3", encrypted: true, volume_size: `\${var.root_volume_gib}` }] }],
  });
  expect(template).not.toHaveProperty("user_data");
  expect(resource("aws_instance", "first")).toMatchObject({ metadata_options: [metadata] });
  expect(stack.variables.root_volume_gib?.default).toBe(40);
  expect(stack.variables.instance_type?.default).toBe("t3.small");
  expect(stack.variables.public_address?.default).toBe(true);
});

test("launches no instance unless an image is named, and then changes none that runs", () => {
  expect(stack.variables.ami_id?.default).toBe("");
  const first = resource("aws_instance", "first");
  expect(first.count).toBe(`\${var.ami_id == "" ? 0 : 1}`);
  expect(blocksOf(first, "lifecycle")[0]?.ignore_changes).toEqual(
    expect.arrayContaining([`\${ami}`, `\${user_data}`, `\${launch_template}`, `\${subnet_id}`]),
  );
});

test("tells the first instance who it is as the program tells every machine, and tags it so", () => {
  const first = resource("aws_instance", "first");
  const keys = [...String(first.user_data).matchAll(/^\s*(\w+)\s+=/gm)].map((match) => match[1]);
  const data = Object.fromEntries(
    keys.map((key) => [key, key === "formatVersion" ? 1 : key === "port" ? null : "i-first"]),
  );
  expect(parseUserData(JSON.stringify(data))).toEqual(data);
  expect(Object.keys(first.tags as Block).sort()).toEqual(["Name", imageTag, instanceTag, nameTag, revisionTag].sort());
  expect(String(stack.locals.tags)).toContain(`"${ownedTag}"`);
  expect(String(stack.locals.tags)).toContain(`"${fleetTag}"`);
});

test("every bucket is versioned, encrypted, has a lifecycle, and is private unless it is the public one", () => {
  for (const name of Object.keys(stack.resources.aws_s3_bucket ?? {})) {
    const bucket = (type: string): Block => resource(`aws_s3_bucket_${type}`, name);
    expect(bucket("versioning").versioning_configuration).toEqual([{ status: "Enabled" }]);
    expect(JSON.stringify(bucket("server_side_encryption_configuration"))).toContain('"sse_algorithm":"AES256"');
    expect(blocksOf(bucket("lifecycle_configuration"), "rule")).not.toEqual([]);
    expect(bucket("ownership_controls").rule).toEqual([{ object_ownership: "BucketOwnerEnforced" }]);
    expect(resource("aws_s3_bucket", name)).not.toHaveProperty("force_destroy");
    const access = bucket("public_access_block");
    expect(access).toMatchObject({ block_public_acls: true, ignore_public_acls: true });
    const isPrivate = access.block_public_policy === true && access.restrict_public_buckets === true;
    expect(isPrivate).toBe(name !== "pr_intent");
  }
  expect(stack.variables.pr_intent_bucket_name?.default).toBe("");
});

test("the memory is encrypted, reached over TLS alone, and has a mount target in each zone", () => {
  expect(resource("aws_efs_file_system", "memory").encrypted).toBe(true);
  expect(resource("aws_efs_mount_target", "memory").for_each).toBe(`\${local.subnets_by_zone}`);
  expect(resource("aws_efs_file_system_policy", "memory").policy).toBe(`\${data.aws_iam_policy_document.memory.json}`);
});

test("whoever comes through the access point is the user that the NixOS module runs the program as", () => {
  const options = readFileSync(join(stackDirectory, "..", "nix", "module", "options.nix"), "utf8");
  const uid = Number(/uid = mkOption \{[^}]*default = (\d+);/.exec(options)?.[1]);
  expect(blocksOf(resource("aws_efs_access_point", "memory"), "posix_user")).toEqual([{ uid, gid: uid }]);
});

test("the state is encrypted and locked in S3, and where it lies is given from outside", () => {
  const backend = stack.terraform.flatMap((block) => {
    const found = block.backend as { s3?: Block[] } | undefined;
    return found?.s3 ?? [];
  });
  expect(backend).toEqual([{ encrypt: true, use_lockfile: true }]);
});

test("every variable and output says what it is; what takes a format is validated", () => {
  for (const [name, variable] of Object.entries(stack.variables)) {
    expect(variable.description, name).toEqual(expect.stringMatching(/^\S.{9,}/));
    expect(variable, name).toHaveProperty("type");
    expect(variable, `${name}: nothing has to be set`).toHaveProperty("default");
    const isSwitch = variable.type === "bool" || variable.type === `\${bool}`;
    if (isSwitch) continue;
    const rules = blocksOf(variable, "validation");
    expect(rules, `${name} is not validated`).not.toEqual([]);
    for (const rule of rules) expect(String(rule.error_message), name).toContain(name);
  }
  for (const [name, output] of Object.entries(stack.outputs))
    expect(output.description, name).toEqual(expect.stringMatching(/^\S.{9,}/));
});

test("has the seed's variables, outputs and names", () => {
  expect(stack.variables.aws_region?.default).toBe("eu-central-1");
  for (const name of ["aws_region", "ami_id", "ssh_public_key", "bucket_name", "tags"])
    expect(stack.variables).toHaveProperty(name);
  for (const name of [
    "bucket_name",
    "aws_region",
    "access_key_id",
    "secret_access_key",
    "efs_file_system_id",
    "instance_id",
    "instance_public_ip",
    "instance_public_dns",
  ])
    expect(stack.outputs).toHaveProperty(name);
  expect(stack.outputs.secret_access_key?.sensitive).toBe(true);
  expect(stack.outputs.access_key_id?.sensitive).toBe(true);
  expect(stack.variables.fleet?.default).toBe("clawdinator");
  expect(resource("aws_iam_user", "ci").name).toBe(`\${var.fleet}-image-uploader`);
  expect(resource("aws_iam_role", "vmimport").name).toBe("vmimport");
  expect(resource("aws_iam_role_policy", "instance_secrets").name).toBe(`\${var.fleet}-secrets`);
});

test("makes no secret, takes no secret value, and lets instances read those that the program knows", () => {
  expect(Object.keys(stack.resources).filter((type) => type.startsWith("aws_secretsmanager"))).toEqual([]);
  expect(stack.variables.shared_secrets?.default).toEqual(knownSecrets.map(({ name }) => name));
  expect(Object.keys(stack.variables).filter((name) => /token|password|pem|api_key$/.test(name))).toEqual([]);
  expect(stack.variables.create_ci_user?.default).toBe(false);
});

test("the switch document takes a full commit id and nothing else", () => {
  const content = String(resource("aws_ssm_document", "switch").content);
  expect(resource("aws_ssm_document", "switch").name).toBe("clawdinator-switch");
  expect(content).toContain('allowedPattern = "^[0-9a-f]{40}$"');
  expect(content.match(/\{\{.*?\}\}/g)).toEqual(["{{ revision }}"]);
});
