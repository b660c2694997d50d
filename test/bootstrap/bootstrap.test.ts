/**
 * From nothing to "CLAWDINATOR-1 is ready" and back to nothing: real processes, the emulator, the machine room, a local
 * remote; killed again and again, and continued by the same command.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAwsClients } from "../../tools/fleet/aws/clients.ts";
import { fromEc2Tags, isOwned, nameTag } from "../../tools/fleet/aws/tags.ts";
import { type Emulator, emulatorRegion, startEmulator } from "../support/aws.ts";
import { type BootstrapSite, makeSite, type Run, registerPlainAmi, startRoomFor } from "../support/bootstrap.ts";
import { commitFiles, git } from "../support/git.ts";
import type { MachineRoom } from "../support/machines.ts";

/** After the work and before its record; after the record; and places within a step where something exists by half. */
const kills = [
  "fleet-repository.made",
  "fleet-repository.pushed",
  "fleet-repository.effect",
  "infrastructure.bucket",
  "infrastructure.planned",
  "infrastructure.applied",
  "infrastructure.settings",
  "infrastructure.after",
  "secrets.effect",
  "seeds.effect",
  "launch.seeded",
  "launch.maintainer",
  "launch.decided",
  "launch.operation",
  "start_candidate.intent",
  "start_candidate.effect",
  "launch.effect",
  "commit_desired.effect",
  "give_name.after",
  "follow.effect",
];

const secret = "a-secret-token-of-a-bot";
const endings: (() => void | Promise<void>)[] = [];
const atEnd = (work: () => void | Promise<void>): void => void endings.push(work);
let emulator: Emulator;
let site: BootstrapSite;
let room: MachineRoom;
let ami: string;
const said: string[] = [];

beforeAll(async () => {
  // Hundreds of public images that nobody asks for would make the emulator slow.
  emulator = await startEmulator({ atEnd });
  Object.assign(process.env, emulator.environment);
  site = makeSite(emulator, atEnd);
  ami = await registerPlainAmi(emulator);
  room = await startRoomFor(emulator, site, atEnd);
  writeFileSync(join(site.directory, "token.txt"), `${secret}\n`);
}, 120_000);

afterAll(async () => {
  for (const work of endings.reverse()) await work();
}, 120_000);

/** Arms these points, and runs the same command until a run ends by itself. */
async function runThrough(points: string[], parameters: string[]): Promise<{ last: Run; kills: number }> {
  const root = site.failpoints.environment.CLAWDINATOR_FAILPOINTS ?? "";
  mkdirSync(root, { recursive: true });
  for (const point of points) writeFileSync(join(root, point.replaceAll("/", "~")), "");
  for (let count = 0; count <= points.length; count++) {
    const last = await site.run(parameters, site.failpoints.environment);
    said.push(last.stdout, last.stderr);
    if (last.signal !== "SIGKILL") return { last, kills: count };
  }
  throw new Error("more kills than there are points");
}

async function machines(): Promise<string[]> {
  const clients = createAwsClients({ region: emulatorRegion });
  const [{ DescribeInstancesCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const { Reservations = [] } = await client.send(new DescribeInstancesCommand({}));
  clients.close();
  return Reservations.flatMap(({ Instances = [] }) => Instances)
    .filter(
      ({ State, Tags }) => isOwned(fromEc2Tags(Tags), "clawdinator") && !/shutting|terminated/.test(State?.Name ?? ""),
    )
    .map(({ Tags }) => fromEc2Tags(Tags)[nameTag] ?? "");
}

async function buckets(): Promise<string[]> {
  const clients = createAwsClients({ region: emulatorRegion });
  const [{ ListBucketsCommand }, client] = await Promise.all([import("@aws-sdk/client-s3"), clients.s3()]);
  const { Buckets = [] } = await client.send(new ListBucketsCommand({}));
  clients.close();
  return Buckets.map(({ Name }) => Name ?? "").sort();
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => existsSync(path) && statSync(path).isFile());
}

test("gets from nothing to a ready instance, killed twenty times on the way", async () => {
  const { last, kills: killed } = await runThrough(kills, [
    ...["--ami", ami, "--secret", `discord-token=${join(site.directory, "token.txt")}`],
  ]);
  expect({ code: last.code, error: last.lines.at(-1)?.error, stderr: last.stderr }).toEqual({ code: 0, stderr: "" });
  expect(site.failpoints.fired().sort()).toEqual([...kills].sort());
  expect(killed).toBe(kills.length);
  expect(last.lines.at(-1)).toMatchObject({ kind: "result", name: "CLAWDINATOR-1", fleet: "clawdinator" });

  expect(await machines()).toEqual(["CLAWDINATOR-1"]);
  expect(await buckets()).toEqual(["clawdinator-images-eu1-test", "clawdinator-state-123456789012-eu-central-1"]);
  expect(site.subjects()).toEqual([
    "Start the fleet from the template",
    "Write the AWS settings of the fleet",
    expect.stringMatching(/^Launch CLAWDINATOR-1 at /),
  ]);
  const desired = JSON.parse(git(site.remote, "show", "main:nix/instances.json"));
  expect(desired.instances["CLAWDINATOR-1"]).toMatchObject({ host: "aws", revision: site.revision });
  expect(git(site.clone, "rev-parse", "HEAD")).toBe(git(site.remote, "rev-parse", "main"));
}, 240_000);

test("says so again, and changes nothing more", async () => {
  const again = await site.run(["--text"]);
  expect(again.code).toBe(0);
  expect(again.stdout).toMatch(/CLAWDINATOR-1 is ready: clawd-/);
  expect(again.stdout).toMatch(/aws ssm start-session .*--document-name AWS-StartPortForwardingSession/);
  const [, token = ""] = /#login=(clawd_1_[A-Za-z0-9_-]+)/.exec(again.stdout) ?? [];
  expect(token).not.toBe("");
  expect(await machines()).toEqual(["CLAWDINATOR-1"]);
  expect(site.subjects()).toHaveLength(3);
  // The machine knows the person by that token.
  const [machine] = room.machines();
  const [, port] = /localPortNumber=(\d+)/.exec(again.stdout) ?? [];
  const answer = await fetch(`http://127.0.0.1:${port}/api/approvals`, {
    headers: { authorization: `Bearer ${token}` },
  });
  expect(answer.status).toBe(200);
  const { approvals } = (await answer.json()) as {
    approvals: { operation: string; state: string; votes: unknown[] }[];
  };
  expect(approvals).toMatchObject([{ operation: "instance_launch", state: "executed" }]);
  expect(approvals[0]?.votes).toHaveLength(1);
  expect(machine?.name).toBe("CLAWDINATOR-1");
});

test("no secret lies in its files, in what it said, or in what it told other programs", () => {
  const token = JSON.parse(readFileSync(join(site.fleetHome, "credentials.json"), "utf8")).token as string;
  const calls = readFileSync(join(site.directory, "calls"), "utf8");
  const texts = [...said, calls, readFileSync(site.journal, "utf8")];
  for (const path of filesBelow(site.fleetHome)) {
    if (!path.endsWith("credentials.json")) texts.push(readFileSync(path, "latin1"));
  }
  for (const text of texts) {
    expect(text.includes(secret)).toBe(false);
    expect(text.includes(token)).toBe(false);
    expect(text.includes("SECRETkeySTANDIN")).toBe(false);
  }
  expect(statSync(join(site.fleetHome, "credentials.json")).mode & 0o777).toBe(0o600);
  const names = calls
    .split("\n")
    .filter(Boolean)
    .flatMap((line) => JSON.parse(line).environment as string[]);
  expect(names.filter((name) => /ANTHROPIC|DISCORD|OPENAI|CLAWDINATOR/.test(name))).toEqual([]);
});

test("a teardown lists everything, asks, and removes what is the fleet's, killed on the way", async () => {
  const refused = await site.run(["--teardown", "--ask"]);
  expect(refused.lines.at(-1)?.error).toMatchObject({ code: "consent_missing" });
  const items = refused.lines.find(({ kind }) => kind === "plan")?.items as string[];
  expect(items.join("\n")).toMatch(
    /instance i-[\s\S]*image ami-[\s\S]*snapshot snap-[\s\S]*secret clawdinator\/discord-token/,
  );
  expect(items.join("\n")).toMatch(/stack: aws_s3_bucket\.images[\s\S]*bucket clawdinator-images-eu1-test with [1-9]/);
  expect(await machines()).toEqual(["CLAWDINATOR-1"]);

  const { last } = await runThrough(["teardown.emptied", "teardown.destroyed"], ["--teardown"]);
  expect({ code: last.code, error: last.lines.at(-1)?.error }).toEqual({ code: 0 });
  expect(await machines()).toEqual([]);
  expect(await buckets()).toEqual([]);
  expect(existsSync(site.fleetHome)).toBe(false);
  expect(existsSync(site.journal)).toBe(false);
  // The repository is its owner's.
  expect(site.subjects()).toHaveLength(3);
  const nothing = await site.run(["--teardown", "--ask"]);
  expect(nothing.lines.find(({ kind }) => kind === "plan")?.items).toEqual([]);
}, 120_000);

test("a launch that never gets ready is undone and says why; the next run tries again", async () => {
  // The fleet repository of before is used again; its owner has shortened the deadline there.
  git(site.clone, "pull", "--quiet", "origin", "main");
  const settings = JSON.parse(readFileSync(join(site.clone, "nix", "settings.json"), "utf8"));
  settings.fleet.candidateSeconds = 3;
  commitFiles(site.clone, { "nix/settings.json": JSON.stringify(settings) });
  git(site.clone, "push", "--quiet", "origin", "HEAD:main");
  const another = await registerPlainAmi(emulator);
  room.hold(true);
  const failed = await site.run(["--ami", another]);
  expect(failed.code).toBe(1);
  const error = failed.lines.at(-1)?.error as { code: string; message: string; hint: string };
  expect(error.code).toBe("launch_failed");
  expect(error.message).toMatch(
    /launch CLAWDINATOR-1 at .* ended as compensated at prove_candidate: .*did not happen within 3 s/,
  );
  expect(error.hint).toMatch(/run the same command again/);
  expect(await machines()).toEqual([]);

  settings.fleet.candidateSeconds = 60;
  git(site.clone, "pull", "--quiet", "origin", "main");
  commitFiles(site.clone, {
    "nix/settings.json": JSON.stringify({
      ...settings,
      aws: JSON.parse(git(site.clone, "show", "HEAD:nix/settings.json")).aws,
    }),
  });
  git(site.clone, "push", "--quiet", "origin", "HEAD:main");
  room.hold(false);
  expect((await site.run(["--only", "infrastructure"])).code).toBe(0);
  const again = await site.run();
  expect({ code: again.code, error: again.lines.at(-1)?.error }).toEqual({ code: 0 });
  expect(await machines()).toEqual(["CLAWDINATOR-1"]);
}, 180_000);
