/**
 * What each role may do and what it may not, decided by ministack's policy evaluator: calls that AWS authorizes on
 * several resources or by keys that ministack's API does not know (launching, snapshots, SSM, EFS clients). Resources
 * and keys are those that AWS' service authorization reference lists for each call.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { emulatorRegion } from "../support/aws.ts";
import { type AuthorizationRequest, decide, findMinistack, ministackAccount } from "../support/ministack.ts";
import { arns, instancePolicies, stackPolicy } from "../support/stack-policies.ts";
import { readStack, type Stack } from "../support/tofu.ts";

const python = findMinistack();
if (python) describe("decided by ministack's evaluator", () => evaluatorTests(python));
else {
  test("permissions are not evaluated here: ministack needs python3 with venv", () => {
    console.warn("not run: the policies under ministack's evaluator");
  });
}

const own = { clawdinator: "true", "clawdinator:fleet": "clawdinator" };
const prefix = `arn:aws:ec2:${emulatorRegion}`;
const machine = `${prefix}:${ministackAccount}:instance/i-0123456789`;
const image = `${prefix}::image/ami-0123456789`;
const importTask = `${prefix}:${ministackAccount}:import-snapshot-task/import-snap-0123456789`;
const snapshot = `${prefix}::snapshot/snap-0123456789`;

const requestTags = (tags: Record<string, string>) => keyed("aws:RequestTag", tags);
const resourceTags = (tags: Record<string, string>) => keyed("aws:ResourceTag", tags);
const keyed = (key: string, tags: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(tags).map(([name, value]) => [`${key}/${name}`, value]));

function one(action: string, resource: string, context: AuthorizationRequest["context"] = {}): AuthorizationRequest[] {
  return [{ action, resource, context }];
}

/** The call as often as it names the fleet's tags, each time with one of them wrong. */
function withOneTagWrong(call: AuthorizationRequest[]): AuthorizationRequest[][] {
  return call.flatMap((request, index) =>
    Object.keys(request.context)
      .filter((key) => /Tag\/clawdinator(:fleet)?$/.test(key))
      .map((key) => call.with(index, { ...request, context: { ...request.context, [key]: "another" } })),
  );
}

interface Launch {
  tags: Record<string, string>;
  template: string;
  imageTags: Record<string, string>;
  profile: string;
  role: string;
  tokens: string;
  encrypted: string;
  subnet: string;
  securityGroup: string;
}

/** RunInstances with a launch template: every resource is authorized, then the tags, then the role that is passed. */
function runInstances(change: Partial<Launch>): AuthorizationRequest[] {
  const launch: Launch = {
    tags: own,
    template: arns.launchTemplate,
    imageTags: own,
    profile: arns.instanceProfile,
    role: arns.instanceRole,
    tokens: "required",
    encrypted: "true",
    subnet: arns.subnet,
    securityGroup: arns.securityGroup,
    ...change,
  };
  const template: Record<string, string> = launch.template ? { "ec2:LaunchTemplate": launch.template } : {};
  const made = { ...template, ...requestTags(launch.tags) };
  const account = `${prefix}:${ministackAccount}`;
  const run = (resource: string, context: Record<string, string>): AuthorizationRequest => ({
    action: "ec2:RunInstances",
    resource,
    context,
  });
  return [
    run(`${account}:instance/*`, {
      ...made,
      "ec2:InstanceProfile": launch.profile,
      "ec2:MetadataHttpTokens": launch.tokens,
    }),
    run(`${account}:volume/*`, { ...made, "ec2:Encrypted": launch.encrypted }),
    run(`${account}:network-interface/*`, template),
    run(image, { ...template, ...resourceTags(launch.imageTags) }),
    run(launch.subnet, template),
    run(launch.securityGroup, template),
    ...(launch.template ? [run(launch.template, template)] : []),
    ...["instance", "volume"].map((kind) => ({
      action: "ec2:CreateTags",
      resource: `${account}:${kind}/*`,
      context: { ...requestTags(launch.tags), "ec2:CreateAction": "RunInstances" },
    })),
    ...passRole(launch.role, "ec2.amazonaws.com"),
  ];
}

function passRole(role: string, service: string): AuthorizationRequest[] {
  return one("iam:PassRole", role, { "iam:PassedToService": service });
}

const adminRole = `arn:aws:iam::${ministackAccount}:role/admin`;
const foreign = { clawdinator: "true", "clawdinator:fleet": "another" };

function evaluatorTests(program: string): void {
  let stack: Stack;
  beforeAll(async () => {
    stack = await readStack();
  });

  /** Title → call; all of them at once. */
  function check(policies: () => ReturnType<typeof instancePolicies>, calls: Record<string, AuthorizationRequest[]>) {
    const answers = decide(program, policies(), Object.values(calls));
    return Object.keys(calls).filter((_, index) => answers[index]);
  }
  const instance = () => instancePolicies(stack);
  const ci = () => [stackPolicy(stack, "ci")];

  test("an instance launches siblings as the stack means them, and nothing else", () => {
    const allowed = check(instance, {
      "as the program does": runInstances({}),
      "with the role of a name": runInstances({
        profile: `${arns.instanceProfile}-CLAWDINATOR-1`,
        role: `${arns.instanceRole}-CLAWDINATOR-1`,
      }),
      "without tags": runInstances({ tags: {} }),
      "with the tags of another fleet": runInstances({ tags: foreign }),
      "without the template": runInstances({ template: "" }),
      "from another template": runInstances({ template: `${prefix}:${ministackAccount}:launch-template/lt-1` }),
      "from an untagged image": runInstances({ imageTags: {} }),
      "from another fleet's image": runInstances({ imageTags: foreign }),
      "with another profile": runInstances({ profile: `arn:aws:iam::${ministackAccount}:instance-profile/admin` }),
      "passing another role": runInstances({ role: adminRole }),
      "with IMDSv1": runInstances({ tokens: "optional" }),
      "with a plain volume": runInstances({ encrypted: "false" }),
      "in another subnet": runInstances({ subnet: `${prefix}:${ministackAccount}:subnet/subnet-1` }),
      "with another security group": runInstances({
        securityGroup: `${prefix}:${ministackAccount}:security-group/sg-1`,
      }),
    });
    expect(allowed).toEqual(["as the program does", "with the role of a name"]);
  });

  test("every part of a launch, but for the image, is allowed by the template alone", () => {
    const call = runInstances({});
    const variants = call.flatMap((request, index) => {
      if (!("ec2:LaunchTemplate" in request.context) || request.resource === image) return [];
      return [call.with(index, { ...request, context: { ...request.context, "ec2:LaunchTemplate": "another" } })];
    });
    expect(variants).toHaveLength(6);
    expect(decide(program, instance(), variants)).toEqual(variants.map(() => false));
  });

  test("a machine's SSM agent registers it and carries sessions", () => {
    const actions = ["ssm:UpdateInstanceInformation", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"];
    const calls = Object.fromEntries(actions.map((action) => [action, one(action, "*")]));
    expect(check(instance, calls)).toEqual(actions);
    expect(check(ci, calls)).toEqual([]);
  });

  test("roles are passed to the service they are for, and to no other", () => {
    const calls = {
      "own to EC2": passRole(arns.instanceRole, "ec2.amazonaws.com"),
      "vmimport to VM Import": passRole(arns.vmimportRole, "vmie.amazonaws.com"),
      "own to Lambda": passRole(arns.instanceRole, "lambda.amazonaws.com"),
      "vmimport to EC2": passRole(arns.vmimportRole, "ec2.amazonaws.com"),
      "another to EC2": passRole(adminRole, "ec2.amazonaws.com"),
      "one that begins alike": passRole(`${arns.instanceRole}-admin`, "ec2.amazonaws.com"),
    };
    expect(check(instance, calls)).toEqual(["own to EC2", "vmimport to VM Import"]);
    expect(check(ci, calls)).toEqual(["vmimport to VM Import"]);
  });

  const imports: Record<string, AuthorizationRequest[]> = {
    "start a tagged snapshot": [
      ...one("ebs:StartSnapshot", snapshot, requestTags(own)),
      ...one("ec2:CreateTags", snapshot, requestTags(own)),
    ],
    "write blocks": one("ebs:PutSnapshotBlock", snapshot, resourceTags(own)),
    "complete it": one("ebs:CompleteSnapshot", snapshot, resourceTags(own)),
    "list its blocks": one("ebs:ListSnapshotBlocks", snapshot, resourceTags(own)),
    "compare it": one("ebs:ListChangedBlocks", snapshot, resourceTags(own)),
    "read it back": one("ebs:GetSnapshotBlock", snapshot, resourceTags(own)),
    "register an AMI": [
      ...one("ec2:RegisterImage", `${prefix}::image/*`, requestTags(own)),
      ...one("ec2:RegisterImage", snapshot, resourceTags(own)),
      ...one("ec2:CreateTags", image, { ...requestTags(own), "ec2:CreateAction": "RegisterImage" }),
    ],
    "import from S3": [
      ...one("ec2:ImportSnapshot", importTask),
      ...one("ec2:CreateTags", importTask, { ...requestTags(own), "ec2:CreateAction": "ImportSnapshot" }),
      ...one("ec2:ImportSnapshot", `${prefix}::snapshot/*`),
    ],
    "cancel our import": one("ec2:CancelImportTask", importTask, resourceTags(own)),
    "note another image on our AMI": one("ec2:CreateTags", image, {
      ...resourceTags(own),
      "aws:RequestTag/clawdinator:image:img-1": "x",
    }),
    "delete an unregistered snapshot of ours": one("ec2:DeleteSnapshot", snapshot, resourceTags(own)),
    "tag what VM Import made": one("ec2:CreateTags", snapshot, {
      ...requestTags(own),
      "ec2:ParentVolume": `${prefix}:${ministackAccount}:volume/vol-ffffffff`,
    }),
  };
  const removals: Record<string, AuthorizationRequest[]> = {
    "deregister our AMI": one("ec2:DeregisterImage", image, resourceTags(own)),
    "take a shared image's tag off our AMI": one("ec2:DeleteTags", image, {
      ...resourceTags(own),
      "aws:TagKeys": ["clawdinator:image:img-1"],
    }),
  };
  const forbidden: Record<string, AuthorizationRequest[]> = {
    "start an untagged snapshot": one("ebs:StartSnapshot", snapshot),
    "start one for another fleet": one("ebs:StartSnapshot", snapshot, requestTags(foreign)),
    "write into an untagged snapshot": one("ebs:PutSnapshotBlock", snapshot),
    "read another fleet's snapshot": one("ebs:GetSnapshotBlock", snapshot, resourceTags(foreign)),
    "read somebody's snapshot": one("ebs:GetSnapshotBlock", snapshot),
    "register an untagged AMI": one("ec2:RegisterImage", `${prefix}::image/*`),
    "register somebody's snapshot": [
      ...one("ec2:RegisterImage", `${prefix}::image/*`, requestTags(own)),
      ...one("ec2:RegisterImage", snapshot),
    ],
    "deregister an untagged AMI": one("ec2:DeregisterImage", image),
    "deregister another fleet's AMI": one("ec2:DeregisterImage", image, resourceTags(foreign)),
    "delete an untagged snapshot": one("ec2:DeleteSnapshot", snapshot),
    "delete another fleet's snapshot": one("ec2:DeleteSnapshot", snapshot, resourceTags(foreign)),
    "claim a snapshot of somebody's volume": one("ec2:CreateTags", snapshot, {
      ...requestTags(own),
      "ec2:ParentVolume": `${prefix}:${ministackAccount}:volume/vol-0123456789`,
    }),
    "claim another fleet's snapshot": one("ec2:CreateTags", snapshot, {
      ...requestTags(own),
      ...resourceTags(foreign),
      "ec2:ParentVolume": `${prefix}:${ministackAccount}:volume/vol-ffffffff`,
    }),
    "tag an import that is another fleet's": one("ec2:CreateTags", importTask, {
      ...requestTags(foreign),
      "ec2:CreateAction": "ImportSnapshot",
    }),
    "claim somebody's machine": one("ec2:CreateTags", machine, requestTags(own)),
    "claim somebody's AMI": one("ec2:CreateTags", image, requestTags(own)),
    "make our AMI nobody's": one("ec2:CreateTags", image, {
      ...resourceTags(own),
      "aws:RequestTag/clawdinator": "false",
    }),
    "give our AMI away": one("ec2:CreateTags", image, {
      ...resourceTags(own),
      "aws:RequestTag/clawdinator:fleet": "another",
    }),
    "make our machine nobody's": one("ec2:CreateTags", machine, {
      ...resourceTags(own),
      "aws:RequestTag/clawdinator": "false",
    }),
    "give our machine away": one("ec2:CreateTags", machine, { ...resourceTags(own), ...requestTags(foreign) }),
    "remove all tags of our AMI": one("ec2:DeleteTags", image, resourceTags(own)),
    "disown our AMI": one("ec2:DeleteTags", image, {
      ...resourceTags(own),
      "aws:TagKeys": ["clawdinator:image:img-1", "clawdinator"],
    }),
    "take a tag off somebody's AMI": one("ec2:DeleteTags", image, { "aws:TagKeys": ["clawdinator:image:img-1"] }),
    "disown our machine": one("ec2:DeleteTags", machine, {
      ...resourceTags(own),
      "aws:TagKeys": ["clawdinator:image:img-1"],
    }),
    "cancel somebody's import": one("ec2:CancelImportTask", importTask),
    "copy a snapshot away": one("ec2:CopySnapshot", snapshot, resourceTags(own)),
    "share an AMI": one("ec2:ModifyImageAttribute", image, resourceTags(own)),
    "attach a volume": one("ec2:AttachVolume", machine, resourceTags(own)),
  };

  test("an instance imports, and removes what is the fleet's", () => {
    const calls = { ...imports, ...removals };
    expect(check(instance, { ...calls, ...forbidden })).toEqual(Object.keys(calls));
  });

  test("CI imports, and removes nothing that an AMI is made of", () => {
    expect(check(ci, { ...imports, ...removals, ...forbidden })).toEqual(Object.keys(imports));
  });

  test("CI launches nothing", () => {
    expect(check(ci, { launch: runInstances({}) })).toEqual([]);
  });

  test("neither does any of it where one tag, of the request or of the resource, is not the fleet's", () => {
    // The volumes' tags are given by the template; what they are allowed by is the template itself.
    const launch = runInstances({}).filter(({ resource }) => !resource.endsWith(":volume/*"));
    const manage = ["ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances", "ec2:GetConsoleOutput"];
    const calls = [
      ...Object.values({ ...imports, ...removals }),
      launch,
      ...manage.map((action) => one(action, machine, resourceTags(own))),
      [...one("ssm:SendCommand", arns.switchDocument), ...one("ssm:SendCommand", machine, resourceTags(own))],
    ];
    const variants = calls.flatMap(withOneTagWrong);
    expect(variants.length).toBeGreaterThan(40);
    for (const policies of [instance(), ci()]) {
      const allowed = decide(program, policies, variants);
      expect(variants.filter((_, index) => allowed[index])).toEqual([]);
    }
  });

  test("the fast lane sends one document to the fleet's machines", () => {
    const send = (document: string, tags: Record<string, string>): AuthorizationRequest[] => [
      ...one("ssm:SendCommand", document),
      ...one("ssm:SendCommand", machine, resourceTags(tags)),
    ];
    const shell = `arn:aws:ssm:${emulatorRegion}::document/AWS-RunShellScript`;
    const calls = {
      "the switch": send(arns.switchDocument, own),
      "the switch on somebody's machine": send(arns.switchDocument, {}),
      "the switch on another fleet's machine": send(arns.switchDocument, foreign),
      "a shell": send(shell, own),
      "a session": one("ssm:StartSession", machine, resourceTags(own)),
      "its own document": one("ssm:UpdateDocument", arns.switchDocument),
      "follow it": one("ssm:GetCommandInvocation", "*"),
      "find it again": one("ssm:ListCommands", "*"),
      "call it off": one("ssm:CancelCommand", "*"),
    };
    expect(check(instance, calls)).toEqual(["the switch", "follow it", "find it again", "call it off"]);
    expect(check(ci, calls)).toEqual([]);
  });

  test("an instance takes a further tag for a machine of the fleet, such as its name", () => {
    const rename = { ...resourceTags(own), "aws:RequestTag/clawdinator:name": "CLAWDINATOR-2" };
    expect(check(instance, { rename: one("ec2:CreateTags", machine, rename) })).toEqual(["rename"]);
  });

  test("the memory is mounted over TLS through a mount target, and not otherwise", () => {
    const mount = (SecureTransport: string, AccessedViaMountTarget: string): AuthorizationRequest[] =>
      one("elasticfilesystem:ClientMount", arns.fileSystem, {
        "aws:SecureTransport": SecureTransport,
        "elasticfilesystem:AccessedViaMountTarget": AccessedViaMountTarget,
      });
    const calls = {
      tunnel: mount("true", "true"),
      "plain NFS": mount("false", "true"),
      "from elsewhere": mount("true", "false"),
    };
    expect(check(() => [stackPolicy(stack, "memory")], calls)).toEqual(["tunnel"]);
    const { tunnel, "from elsewhere": elsewhere } = calls;
    expect(check(instance, { tunnel, elsewhere })).toEqual(["tunnel"]);
  });

  test("nobody reads a bucket in clear text", () => {
    const read = (SecureTransport: string): AuthorizationRequest[] =>
      one("s3:GetObject", `${arns.bucket}/store/x`, { "aws:SecureTransport": SecureTransport });
    const anything = { Sid: "All", Effect: "Allow" as const, Action: ["*"], Resource: ["*"] };
    const policies = () => [stackPolicy(stack, "bucket"), { Version: "2012-10-17" as const, Statement: [anything] }];
    expect(check(policies, { https: read("true"), http: read("false") })).toEqual(["https"]);
  });
}
