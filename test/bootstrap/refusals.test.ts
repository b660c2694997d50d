/** What the bootstrap refuses, and that nothing is changed by then. Run inside this process, against the emulator. */
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Output } from "../../agent/cli/output.ts";
import { bootstrap } from "../../bootstrap/main.ts";
import { createAwsClients } from "../../tools/fleet/aws/clients.ts";
import { fleetTag, nameTag, ownedBy, toEc2Tags } from "../../tools/fleet/aws/tags.ts";
import { emulatorRegion } from "../support/aws.ts";
import { shareEmulator } from "../support/aws-instances.ts";
import { makeStandIns, registerPlainAmi } from "../support/bootstrap.ts";
import { git, makeRepository } from "../support/git.ts";
import { temporaryDirectory } from "../support/temporary.ts";

// Hundreds of public images that nobody asks for make each reset slow.
const shared = shareEmulator();
let ami = "";
let directory = "";
let source = "";
let revision = "";
let remote = "";

beforeEach(async () => {
  await shared().reset();
  shared().setFaults({});
  directory = temporaryDirectory(onTestFinished);
  source = join(directory, "program");
  revision = makeRepository(source, { "README.md": "a program\n" });
  remote = join(directory, "remote.git");
  git(directory, "init", "--quiet", "--bare", "--initial-branch=main", remote);
  ami = await registerPlainAmi(shared());
});

interface Outcome {
  lines: Record<string, unknown>[];
  error: { code?: string; message: string; hint?: string } | null;
}

async function run(given: Record<string, unknown>, environment: Record<string, string> = {}): Promise<Outcome> {
  const lines: Record<string, unknown>[] = [];
  const output: Output = {
    json: true,
    result: () => {},
    line: (value) => void lines.push(value as Record<string, unknown>),
    note: () => {},
  };
  const defaults = { remote, programRepository: source, revision, ami, fleetRepository: join(directory, "fleet") };
  const bin = makeStandIns(join(directory, "bin"));
  const all = { PATH: `${bin}:${process.env.PATH}`, HOME: directory, ...shared().environment, ...environment };
  const home = join(directory, "state");
  try {
    await bootstrap({ home, given: { yes: true, ...defaults, ...given }, output, environment: all });
    return { lines, error: null };
  } catch (error) {
    return { lines, error: error as Outcome["error"] };
  }
}

/** What somebody has made in the account, as text; what is there of its own accord comes first or changes by itself. */
async function world(): Promise<string> {
  const all = (await (await fetch(`${shared().url}/moto-api/data.json`)).json()) as Record<
    string,
    Record<string, object[]>
  >;
  const kinds = ["Instance", "Ami", "EBSSnapshot", "SecurityGroup", "LaunchTemplate", "FakeBucket", "FakeKey", "Role"];
  const counts = Object.values(all).flatMap((models) =>
    [...kinds, "FakeSecret", "FileSystem", "Document"].flatMap((kind) => {
      const count = models[kind]?.length ?? 0;
      return count > 0 ? [`${kind} ${count}`] : [];
    }),
  );
  return counts.join("\n");
}

function nothingHere(): void {
  expect(git(remote, "for-each-ref")).toBe("");
  expect(existsSync(join(directory, "fleet"))).toBe(false);
}

test("a dry run shows steps and cost, and changes nothing anywhere", async () => {
  // What exists of its own accord, such as the default network, is made by the first look.
  await run({ dryRun: true });
  const before = await world();
  const { lines, error } = await run({ dryRun: true });
  expect(error).toBeNull();
  const plan = lines.find(({ kind }) => kind === "plan") as unknown as {
    steps: { step: string }[];
    cost: { monthlyUsd: number };
  };
  expect(plan.steps.map(({ step }) => step)).toEqual([
    ...["fleet-repository", "infrastructure", "ci-variables", "secrets", "seeds", "launch", "follow"],
  ]);
  expect(plan.cost.monthlyUsd).toBeGreaterThan(20);
  expect(lines.at(-1)).toMatchObject({ kind: "result", dryRun: true });
  expect(await world()).toBe(before);
  nothingHere();
  expect(existsSync(join(directory, "state"))).toBe(false);
});

test("all that is missing is said at once, each with what to install", async () => {
  const bin = join(directory, "poor");
  mkdirSync(bin);
  const realGit = git(directory, "--exec-path");
  symlinkSync(join(realGit, "git"), join(bin, "git"));
  const { error } = await run({ ami: undefined, remote: join(directory, "nowhere.git") }, { PATH: bin });
  expect(error).toMatchObject({ code: "check_failed" });
  expect(error?.message).toMatch(/3 things are missing/);
  expect(error?.message).toMatch(/tofu is not installed[\s\S]*opentofu\.org/);
  expect(error?.message).toMatch(/nix is not installed[\s\S]*--build ci/);
  expect(error?.message).toMatch(/cannot read .*nowhere\.git/);
  nothingHere();
});

test("an old tofu is refused", async () => {
  const bin = makeStandIns(join(directory, "old"));
  writeFileSync(join(bin, "tofu"), `#!/bin/sh\necho '{"terraform_version":"1.9.4"}'\n`);
  chmodSync(join(bin, "tofu"), 0o755);
  const { error } = await run({}, { PATH: `${bin}:${process.env.PATH}` });
  expect(error?.message).toMatch(/tofu is version 1\.9\.4, and 1\.10 or newer/);
});

describe("expired credentials", () => {
  test("are told before anything is made, with how to log in", async () => {
    if (shared().kind === "moto from PyPI") return;
    shared().setFaults({ "sts:*": { code: "ExpiredToken", status: 403 } });
    const { error } = await run({});
    expect(error?.message).toMatch(/whose credentials.*ExpiredToken/);
    expect(error?.hint).toMatch(/aws sso login/);
    nothingHere();
  });

  test("in the middle stop there, and the same command goes on", async () => {
    if (shared().kind === "moto from PyPI") return;
    shared().setFaults({ "s3:PutBucket": { code: "ExpiredToken", status: 403 } });
    const failed = await run({});
    expect(failed.error?.message).toMatch(/ExpiredToken/);
    expect(failed.error?.hint).toMatch(/log in again[\s\S]*same command again/);
    shared().setFaults({});
    expect((await run({ only: "infrastructure" })).error).toBeNull();
    expect(git(remote, "log", "--format=%s", "main").split("\n")).toHaveLength(2);
  });
});

test("a refused push leaves nothing on the account, and says what to look at", async () => {
  const hook = join(remote, "hooks", "pre-receive");
  writeFileSync(hook, "#!/bin/sh\necho 'main is protected' >&2\nexit 1\n");
  chmodSync(hook, 0o755);
  const { error } = await run({});
  expect(error).toMatchObject({ code: "fleet_push_refused" });
  expect(error?.message).toContain("main is protected");
  expect(error?.hint).toMatch(/same command again/);
  nothingHere();
  expect(readFileSync(join(directory, "state", "bootstrap", "clawdinator.json"), "utf8")).not.toContain(
    "infrastructure",
  );
});

test("a repository that holds something else is refused", async () => {
  const other = join(directory, "other");
  makeRepository(other, { "README.md": "hello\n" });
  git(other, "push", "--quiet", remote, "main");
  const { error } = await run({});
  expect(error).toMatchObject({ code: "remote_foreign" });
});

test("a name that runs already is refused before anything is made", async () => {
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => clients.close());
  const [{ RunInstancesCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const tags = toEc2Tags({ ...ownedBy("clawdinator"), [nameTag]: "CLAWDINATOR-1" });
  await client.send(
    new RunInstancesCommand({
      ...{ ImageId: ami, MinCount: 1, MaxCount: 1 },
      TagSpecifications: [{ ResourceType: "instance", Tags: tags }],
    }),
  );
  const { error } = await run({});
  expect(error).toMatchObject({ code: "name_held" });
  nothingHere();
});

test("an AMI of another fleet, of another commit, or of nobody is refused", async () => {
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => clients.close());
  const [{ CreateTagsCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const tag = (Key: string, Value: string) =>
    client.send(new CreateTagsCommand({ Resources: [ami], Tags: [{ Key, Value }] }));
  expect((await run({ ami: "ami-0123456789abcdef0" })).error).toMatchObject({ code: "ami_unknown" });
  await tag("clawdinator:revision", "b".repeat(40));
  expect((await run({})).error).toMatchObject({ code: "ami_differs" });
  await tag(fleetTag, "another");
  expect((await run({})).error).toMatchObject({ code: "ami_foreign" });
  nothingHere();
});

test("a revision that was not pushed is refused", async () => {
  const { error } = await run({ revision: "c".repeat(40) });
  expect(error).toMatchObject({ code: "revision_unknown" });
  expect(error?.hint).toMatch(/push that commit/);
});

test("without a terminal and without --yes nobody has agreed", async () => {
  const { error } = await run({ yes: false });
  expect(error).toMatchObject({ code: "consent_missing" });
  nothingHere();
});

test("a stack's plan that would remove something is not carried out", async () => {
  const { error } = await run({}, { AWS_FAKE_REMOVES: "yes" });
  expect(error).toMatchObject({ code: "stack_would_remove" });
});

test("a step is not run before those that it needs", async () => {
  expect((await run({ only: "secrets" })).error).toMatchObject({ code: "step_too_early" });
});

/** A journal that says that everything before the secrets is done. */
function writeJournal(): void {
  const step = { state: "done", startedAt: "2026-01-01T00:00:00Z", endedAt: "2026-01-01T00:00:00Z", outputs: {} };
  const steps = { "fleet-repository": step, infrastructure: step, "ci-variables": step };
  mkdirSync(join(directory, "state", "bootstrap"), { recursive: true });
  writeFileSync(
    join(directory, "state", "bootstrap", "clawdinator.json"),
    JSON.stringify({ formatVersion: 1, fleet: "clawdinator", options: {}, consent: null, steps }),
  );
}

describe("secrets", () => {
  test("are stored from files, kept when they are there, and may be left out", async () => {
    writeJournal();
    const [token, other] = [join(directory, "token.txt"), join(directory, "other.txt")];
    writeFileSync(token, "a-token-of-a-bot\n");
    writeFileSync(other, "another-token-of-a-bot\n");
    const first = await run({ only: "secrets", secret: [`discord-token=${token}`] });
    expect(first.error).toBeNull();
    expect(first.lines.find(({ kind }) => kind === "warning")?.text).toMatch(
      /without anthropic-api-key, github-app-pem.*--only secrets/,
    );
    const second = await run({ only: "secrets", secret: [`discord-token=${other}`, `openai-api-key=${other}`] });
    expect(second.error).toBeNull();
    const clients = createAwsClients({ region: emulatorRegion });
    onTestFinished(() => clients.close());
    const [{ GetSecretValueCommand }, client] = await Promise.all([
      import("@aws-sdk/client-secrets-manager"),
      clients.secretsManager(),
    ]);
    const read = async (SecretId: string) => (await client.send(new GetSecretValueCommand({ SecretId }))).SecretString;
    expect(await read("clawdinator/discord-token")).toBe("a-token-of-a-bot");
    expect(await read("clawdinator/openai-api-key")).toBe("another-token-of-a-bot");
    const journal = readFileSync(join(directory, "state", "bootstrap", "clawdinator.json"), "utf8");
    expect(JSON.stringify([first.lines, second.lines]) + journal).not.toMatch(/token-of-a-bot/);
  });

  test("that are malformed stop before anything is stored, and their value is nowhere", async () => {
    writeJournal();
    const file = join(directory, "token.txt");
    writeFileSync(file, "two words-of-a-secret\n");
    const { error, lines } = await run({ only: "secrets", secret: [`discord-token=${file}`] });
    expect(error).toMatchObject({ code: "secret_malformed" });
    expect(JSON.stringify([error, error?.message, lines])).not.toContain("words-of-a-secret");
  });
});

test("variables for CI are set on GitHub, once", async () => {
  writeJournal();
  const path = join(directory, "state", "bootstrap", "clawdinator.json");
  const journal = JSON.parse(readFileSync(path, "utf8"));
  journal.steps.infrastructure.outputs = { ci_role_arn: "arn:aws:iam::1:role/ci", bucket_name: "a-bucket" };
  writeFileSync(path, JSON.stringify(journal));
  const onGitHub = { only: "ci-variables", remote: "git@github.com:ada/fleet.git" };
  for (let count = 0; count < 2; count++) expect((await run(onGitHub)).error).toBeNull();
  const variables = readFileSync(join(directory, "gh-variables"), "utf8").trim().split("\n");
  expect(variables).toEqual(["AWS_ROLE_ARN=arn:aws:iam::1:role/ci", "AWS_REGION=eu-central-1", "S3_BUCKET=a-bucket"]);
  const skipped = await run({ only: "ci-variables", fleet: "other" });
  expect(skipped.error).toMatchObject({ code: "step_too_early" });
});
