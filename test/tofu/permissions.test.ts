/**
 * What each role may do and what it may not, enforced by ministack over its API: S3, Secrets Manager, IAM, STS, EFS, and
 * those calls of EC2 that are about one resource. The others are in permissions-evaluated.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { emulatorRegion } from "../support/aws.ts";
import {
  type Credentials,
  credentialsOf,
  findMinistack,
  type Ministack,
  ministackAccount,
  startMinistack,
} from "../support/ministack.ts";
import { arns, instancePolicies, stackPolicy } from "../support/stack-policies.ts";
import { readStack, type Stack } from "../support/tofu.ts";

const python = findMinistack();
if (python) describe("enforced by ministack", () => apiTests(python));
else {
  test("permissions are not enforced here: ministack needs python3 with venv", () => {
    console.warn("not run: the policies under ministack");
  });
}

const own = { clawdinator: "true", "clawdinator:fleet": "clawdinator" };
const bucket = "clawdinator-images-test";

function apiTests(program: string): void {
  let ministack: Ministack;
  let stack: Stack;
  let common: Credentials;
  let named: Credentials;
  let ci: Credentials;
  let vmimport: Credentials;

  const endings: (() => void | Promise<void>)[] = [];
  afterAll(async () => {
    for (const work of endings.reverse()) await work();
  });
  beforeAll(async () => {
    stack = await readStack();
    ministack = await startMinistack(program, { atEnd: (work) => void endings.push(work) });
    await prepare(ministack);
    common = await ministack.assume("clawdinator-instance", instancePolicies(stack));
    named = await ministack.assume("clawdinator-instance-CLAWDINATOR-1", instancePolicies(stack, "CLAWDINATOR-1"));
    ci = await ministack.assume("clawdinator-image-uploader", [stackPolicy(stack, "ci")]);
    vmimport = await ministack.assume("vmimport", [stackPolicy(stack, "vmimport")]);
  });

  test("an instance reads and writes store, seeds and images, and nothing else in any bucket", async () => {
    for (const key of ["store/names/CLAWDINATOR-1", "seeds/program.bundle", "images/a.img"]) {
      expect(await s3(common, "put", key), key).toBe("allowed");
      expect(await s3(common, "get", key), key).toBe("allowed");
      expect(await s3(common, "delete", key), key).toBe("allowed");
    }
    expect(await s3(common, "list", "store/")).toBe("allowed");
    for (const key of ["clawdinator/tofu.tfstate", "storeroom/x", "x"]) {
      expect(await s3(common, "put", key), key).toBe("AccessDenied");
      expect(await s3(common, "get", key), key).toBe("AccessDenied");
    }
    expect(await s3(common, "get", "store/not-there")).toBe("NoSuchKey");
    expect(await s3(common, "list", "store/", "somebody-elses")).toBe("AccessDenied");
    expect(await s3(common, "put", "store/x", "somebody-elses")).toBe("AccessDenied");
    expect(await s3(common, "get", "store/x", "somebody-elses")).toBe("AccessDenied");
  });

  test("an instance reads shared secrets, and writes none", async () => {
    for (const name of ["anthropic-api-key", "discord-token", "github-app-pem", "openai-api-key"])
      expect(await secret(named, "read", `clawdinator/${name}`), name).toBe("allowed");
    expect(await secret(named, "write", "clawdinator/discord-token")).toBe("AccessDeniedException");
    expect(await secret(named, "list", "")).toBe("AccessDeniedException");
    expect(await secret(named, "read", "payroll/database")).toBe("AccessDeniedException");
    expect(await secret(named, "read", "clawdinator/unlisted")).toBe("AccessDeniedException");
  });

  test("a name's own role reads that name's secrets and no other name's, also of one that begins alike", async () => {
    expect(await secret(named, "read", "clawdinator/CLAWDINATOR-1/discord-token")).toBe("allowed");
    expect(await secret(named, "read", "clawdinator/CLAWDINATOR-2/discord-token")).toBe("AccessDeniedException");
    expect(await secret(named, "read", "clawdinator/CLAWDINATOR-10/discord-token")).toBe("AccessDeniedException");
  });

  test("where all share one role, it reads every name's secrets: IAM cannot tell the machines apart", async () => {
    expect(await secret(common, "read", "clawdinator/CLAWDINATOR-1/discord-token")).toBe("allowed");
    expect(await secret(common, "read", "clawdinator/CLAWDINATOR-2/discord-token")).toBe("allowed");
    expect(await secret(common, "read", "payroll/database")).toBe("AccessDeniedException");
  });

  test("an instance starts, stops and ends the fleet's machines, and nobody else's", async () => {
    const mine = await launch(own);
    const others = await launch({ clawdinator: "true", "clawdinator:fleet": "another" });
    const untagged = await launch({});
    for (const Action of ["StopInstances", "StartInstances", "GetConsoleOutput", "TerminateInstances"]) {
      const on = (machine: string): Promise<string> =>
        ec2(common, { Action, [Action === "GetConsoleOutput" ? "InstanceId" : "InstanceId.1"]: machine });
      expect(await on(untagged), `${Action} untagged`).toBe("UnauthorizedOperation");
      expect(await on(others), `${Action} of another fleet`).toBe("UnauthorizedOperation");
      expect(await on(mine), `${Action} ours`).toBe("allowed");
    }
  });

  test("an instance looks at EC2 and EFS, and cannot open its own way in", async () => {
    expect(await ec2(common, { Action: "DescribeInstances" })).toBe("allowed");
    expect(await ec2(common, { Action: "DescribeImages" })).toBe("allowed");
    const machine = await launch(own);
    const attempts: Record<string, string>[] = [
      { Action: "AuthorizeSecurityGroupIngress", GroupId: "sg-00000000", IpProtocol: "tcp", CidrIp: "0.0.0.0/0" },
      { Action: "CreateSecurityGroup", GroupName: "x", GroupDescription: "x" },
      { Action: "CreateKeyPair", KeyName: "x" },
      { Action: "ModifyInstanceAttribute", InstanceId: machine, "UserData.Value": "eA==" },
      { Action: "AssociateIamInstanceProfile", InstanceId: machine, "IamInstanceProfile.Name": "admin" },
      { Action: "CreateLaunchTemplateVersion", LaunchTemplateId: "lt-1", "LaunchTemplateData.ImageId": "ami-1" },
      { Action: "ModifySnapshotAttribute", SnapshotId: "snap-1", "CreateVolumePermission.Add.1.Group": "all" },
    ];
    for (const parameters of attempts)
      expect(await ec2(common, parameters), parameters.Action).toBe("UnauthorizedOperation");
    const efs = await import("@aws-sdk/client-efs");
    const client = new efs.EFSClient(ministack.clientOptions(common));
    expect(await outcome(client.send(new efs.DescribeFileSystemsCommand({})))).toBe("allowed");
    expect(await outcome(client.send(new efs.CreateFileSystemCommand({ CreationToken: "x" })))).toMatch(/AccessDenied/);
    client.destroy();
  });

  test("neither an instance nor CI may make or change identities", async () => {
    const attempts: Record<string, string>[] = [
      { Action: "CreateRole", RoleName: "x", AssumeRolePolicyDocument: "{}" },
      { Action: "PutRolePolicy", RoleName: "clawdinator-instance", PolicyName: "x", PolicyDocument: "{}" },
      {
        Action: "AttachRolePolicy",
        RoleName: "clawdinator-instance",
        PolicyArn: "arn:aws:iam::aws:policy/AdministratorAccess",
      },
      { Action: "CreateAccessKey", UserName: "root" },
      { Action: "CreateUser", UserName: "x" },
    ];
    for (const credentials of [common, named, ci]) {
      for (const parameters of attempts) {
        const { status, text } = await ministack.call(credentials, "iam", parameters);
        expect(status, `${parameters.Action}: ${text}`).toBe(403);
      }
      const RoleArn = arns.instanceRole;
      const assumed = await ministack.call(credentials, "sts", { Action: "AssumeRole", RoleArn, RoleSessionName: "x" });
      expect(assumed.status).toBe(403);
    }
  });

  test("CI uploads images and reads nothing else: no store, no secrets, no machines", async () => {
    expect(await s3(ci, "put", "images/b.img")).toBe("allowed");
    expect(await s3(ci, "get", "images/b.img")).toBe("allowed");
    expect(await s3(ci, "list", "images/")).toBe("allowed");
    expect(await s3(ci, "delete", "images/b.img")).toBe("allowed");
    expect(await s3(ci, "get", "images/b.img")).toBe("NoSuchKey");
    for (const key of ["store/x", "seeds/x", "clawdinator/tofu.tfstate"]) {
      expect(await s3(ci, "put", key), key).toBe("AccessDenied");
      expect(await s3(ci, "get", key), key).toBe("AccessDenied");
      expect(await s3(ci, "delete", key), key).toBe("AccessDenied");
    }
    expect(await secret(ci, "read", "clawdinator/anthropic-api-key")).toBe("AccessDeniedException");
    const machine = await launch(own);
    expect(await ec2(ci, { Action: "TerminateInstances", "InstanceId.1": machine })).toBe("UnauthorizedOperation");
    expect(await ec2(ci, { Action: "DescribeImages" })).toBe("allowed");
  });

  test("VM Import reads images and nothing else of the bucket", async () => {
    expect(await s3(ci, "put", "images/c.img")).toBe("allowed");
    expect(await s3(vmimport, "get", "images/c.img")).toBe("allowed");
    expect(await s3(vmimport, "put", "images/c.img")).toBe("AccessDenied");
    expect(await s3(vmimport, "get", "store/x")).toBe("AccessDenied");
    expect(await secret(vmimport, "read", "clawdinator/anthropic-api-key")).toBe("AccessDeniedException");
  });

  test("CI's role is given to the one branch's workflows: not to another branch, repository, pull request or issuer", async () => {
    await root({
      Action: "CreateRole",
      RoleName: "ci-by-oidc",
      AssumeRolePolicyDocument: JSON.stringify(stackPolicy(stack, "ci_trust")),
    });
    const issuer = "https://token.actions.githubusercontent.com";
    const good = { iss: issuer, aud: "sts.amazonaws.com", sub: "repo:someone/fleet:ref:refs/heads/main" };
    const ask = async (claims: Record<string, string>): Promise<string> => {
      const { status, text } = await ministack.call(ministack.root, "sts", {
        Action: "AssumeRoleWithWebIdentity",
        RoleArn: `arn:aws:iam::${ministackAccount}:role/ci-by-oidc`,
        RoleSessionName: "run",
        WebIdentityToken: unsignedToken(claims),
      });
      return status === 200 && credentialsOf(text).sessionToken ? "allowed" : String(status);
    };
    expect(await ask(good)).toBe("allowed");
    expect(await ask({ ...good, sub: "repo:someone/fleet:ref:refs/heads/feature" })).toBe("403");
    expect(await ask({ ...good, sub: "repo:someone/fleet:pull_request" })).toBe("403");
    expect(await ask({ ...good, sub: "repo:else/fleet:ref:refs/heads/main" })).toBe("403");
    expect(await ask({ ...good, aud: "somebody" })).toBe("403");
    expect(await ask({ ...good, iss: "https://example.org" })).toBe("403");
  });

  test("only EC2 hands out an instance's role", async () => {
    await root({
      Action: "CreateRole",
      RoleName: "instance-trust",
      AssumeRolePolicyDocument: JSON.stringify(stackPolicy(stack, "instance_trust")),
    });
    const RoleArn = `arn:aws:iam::${ministackAccount}:role/instance-trust`;
    for (const credentials of [common, ci]) {
      const answer = await ministack.call(credentials, "sts", { Action: "AssumeRole", RoleArn, RoleSessionName: "x" });
      expect(answer.status).toBe(403);
    }
  });

  async function root(parameters: Record<string, string>, service: "iam" | "ec2" = "iam"): Promise<string> {
    const { status, text } = await ministack.call(ministack.root, service, parameters);
    if (status !== 200) throw new Error(`${parameters.Action} was refused: ${text}`);
    return text;
  }

  async function launch(tags: Record<string, string>): Promise<string> {
    const listed = Object.entries(tags).flatMap(([key, value], index) => [
      [`TagSpecification.1.Tag.${index + 1}.Key`, key],
      [`TagSpecification.1.Tag.${index + 1}.Value`, value],
    ]);
    const text = await root(
      {
        Action: "RunInstances",
        MinCount: "1",
        MaxCount: "1",
        ImageId: "ami-0123456789",
        ...(listed.length > 0 ? { "TagSpecification.1.ResourceType": "instance", ...Object.fromEntries(listed) } : {}),
      },
      "ec2",
    );
    return /<instanceId>(i-[0-9a-f]+)</i.exec(text)?.[1] ?? "";
  }

  async function ec2(credentials: Credentials, parameters: Record<string, string>): Promise<string> {
    const { status, text } = await ministack.call(credentials, "ec2", parameters);
    const code = /<Code>([^<]*)/.exec(text)?.[1] ?? text;
    // An action that ministack lacks is still authorized first.
    return status === 200 || code === "InvalidAction" ? "allowed" : code;
  }

  async function s3(
    credentials: Credentials,
    verb: "get" | "put" | "delete" | "list",
    Key: string,
    Bucket = bucket,
  ): Promise<string> {
    const sdk = await import("@aws-sdk/client-s3");
    const client = new sdk.S3Client({ ...ministack.clientOptions(credentials), forcePathStyle: true });
    const done =
      verb === "get"
        ? client.send(new sdk.GetObjectCommand({ Bucket, Key })).then(({ Body }) => Body?.transformToString())
        : verb === "put"
          ? client.send(new sdk.PutObjectCommand({ Bucket, Key, Body: "x" }))
          : verb === "delete"
            ? client.send(new sdk.DeleteObjectCommand({ Bucket, Key }))
            : client.send(new sdk.ListObjectsV2Command({ Bucket, ...(Key ? { Prefix: Key } : {}) }));
    const result = await outcome(done);
    client.destroy();
    return result;
  }

  async function secret(credentials: Credentials, verb: "read" | "write" | "list", SecretId: string): Promise<string> {
    const sdk = await import("@aws-sdk/client-secrets-manager");
    const client = new sdk.SecretsManagerClient(ministack.clientOptions(credentials));
    const done =
      verb === "read"
        ? client.send(new sdk.GetSecretValueCommand({ SecretId }))
        : verb === "write"
          ? client.send(new sdk.PutSecretValueCommand({ SecretId, SecretString: "y" }))
          : client.send(new sdk.ListSecretsCommand({}));
    const result = await outcome(done);
    client.destroy();
    return result;
  }
}

async function prepare(ministack: Ministack): Promise<void> {
  const s3 = await import("@aws-sdk/client-s3");
  const objects = new s3.S3Client({ ...ministack.clientOptions(ministack.root), forcePathStyle: true });
  for (const Bucket of [bucket, "somebody-elses"]) {
    const CreateBucketConfiguration = { LocationConstraint: emulatorRegion } as const;
    await objects.send(new s3.CreateBucketCommand({ Bucket, CreateBucketConfiguration }));
    for (const Key of ["clawdinator/tofu.tfstate", "store/x", "seeds/x", "storeroom/x", "x"])
      await objects.send(new s3.PutObjectCommand({ Bucket, Key, Body: "x" }));
  }
  objects.destroy();
  const sdk = await import("@aws-sdk/client-secrets-manager");
  const secrets = new sdk.SecretsManagerClient(ministack.clientOptions(ministack.root));
  for (const Name of [
    "clawdinator/anthropic-api-key",
    "clawdinator/discord-token",
    "clawdinator/github-app-pem",
    "clawdinator/openai-api-key",
    "clawdinator/unlisted",
    "clawdinator/CLAWDINATOR-1/discord-token",
    "clawdinator/CLAWDINATOR-2/discord-token",
    "clawdinator/CLAWDINATOR-10/discord-token",
    "payroll/database",
  ])
    await secrets.send(new sdk.CreateSecretCommand({ Name, SecretString: "x" }));
  secrets.destroy();
}

/** `allowed`, or the name of the error that came. */
async function outcome(done: Promise<unknown>): Promise<string> {
  try {
    await done;
    return "allowed";
  } catch (error) {
    return (error as Error).name;
  }
}

function unsignedToken(claims: Record<string, string>): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", typ: "JWT" })}.${part({ ...claims, exp: 4_102_444_800 })}.${part("signature")}`;
}
