import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createOutput } from "../../agent/cli/output.ts";
import { environmentFor, runChild, runToFile } from "../../bootstrap/child.ts";
import { estimateCost } from "../../bootstrap/cost.ts";
import { githubRepository } from "../../bootstrap/github.ts";
import { openJournal } from "../../bootstrap/journal.ts";
import { createRedactor } from "../../bootstrap/redact.ts";
import { createSpeaker } from "../../bootstrap/speaker.ts";
import { flakeAddress } from "../../bootstrap/steps/fleet-repository.ts";
import { isOwnerAlive } from "../../tools/process-lock.ts";
import { runModule } from "../support/run-module.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { waitFor } from "../support/wait.ts";

const signal = new AbortController().signal;
const environment = { PATH: process.env.PATH ?? "" };

test("hides known secrets, whole or by line, and whatever looks like one", () => {
  const redactor = createRedactor();
  redactor.hide("correct horse\nbattery staple");
  const text = "a correct horse, a battery staple, clawd_1_abcdefghijklmnopqrstuvwxyz and https://ada:pw@host/x";
  expect(redactor.redact(text)).toBe("a [secret], a [secret], [secret] and https://***@host/x");
  expect(redactor.redact("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----")).toBe("[secret]");
});

test("says everything in one object a line, redacted, with step and kind", () => {
  const said: unknown[] = [];
  const redactor = createRedactor();
  redactor.hide("hunter2222");
  const output = { ...createOutput(true), line: (value: unknown) => said.push(value) };
  const speaker = createSpeaker({ output, redactor, now: () => 0 });
  speaker.enter("secrets");
  speaker.say("progress", "took hunter2222", { more: "hunter2222" });
  speaker.say("progress", "took hunter2222", { more: "hunter2222" });
  expect(said).toEqual([
    { at: "1970-01-01T00:00:00.000Z", step: "secrets", kind: "progress", text: "took [secret]", more: "[secret]" },
  ]);
});

test("a journal is written whole, read again, and refused when it is not understood", async () => {
  const path = join(temporaryDirectory(), "bootstrap", "clawdinator.json");
  const journal = await openJournal({ path, fleet: "clawdinator", dryRun: false });
  await journal.change((record) => {
    record.options.region = "eu-central-1";
  });
  const again = await openJournal({ path, fleet: "clawdinator", dryRun: false });
  expect(again.read()).toMatchObject({ formatVersion: 1, fleet: "clawdinator", options: { region: "eu-central-1" } });
  writeFileSync(path, JSON.stringify({ ...again.read(), formatVersion: 2 }));
  await expect(openJournal({ path, fleet: "clawdinator", dryRun: false })).rejects.toMatchObject({
    code: "journal_unreadable",
  });
});

test("a dry run writes no journal", async () => {
  const path = join(temporaryDirectory(), "clawdinator.json");
  const journal = await openJournal({ path, fleet: "clawdinator", dryRun: true });
  await journal.change((record) => {
    record.options.region = "eu-central-1";
  });
  expect(existsSync(path)).toBe(false);
});

test("programs get what they need of the environment and nothing else", () => {
  const all = {
    ...{ PATH: "/bin", HOME: "/home/ada", AWS_SECRET_ACCESS_KEY: "s", GH_TOKEN: "g", ANTHROPIC_API_KEY: "a" },
    DISCORD_TOKEN: "d",
  };
  expect(environmentFor("tofu", all)).toEqual({ PATH: "/bin", HOME: "/home/ada", AWS_SECRET_ACCESS_KEY: "s" });
  expect(environmentFor("gh", all)).toEqual({ PATH: "/bin", HOME: "/home/ada", GH_TOKEN: "g" });
  expect(Object.keys(environmentFor("git", all)).sort()).toEqual(["GH_TOKEN", "HOME", "PATH"]);
  expect(environmentFor("nix", all)).toEqual({ PATH: "/bin", HOME: "/home/ada" });
});

test("a program that is not installed is named with how to get it", async () => {
  const request = { command: "no-such-tofu", parameters: [], directory: "/", environment, signal, install: "get it" };
  await expect(runChild(request)).rejects.toMatchObject({ code: "no-such-tofu_missing", hint: "get it" });
});

test("what changes the world goes on when the bootstrap is killed", async () => {
  const directory = temporaryDirectory();
  const done = join(directory, "done");
  const script = `echo begun; for n in 1 2 3 4; do echo $n; sleep 0.1; done; echo "$$" > ${done}`;
  const run = runModule(
    `
    const { runToFile } = await import(project("bootstrap/child.ts"));
    await runToFile(
      { command: "sh", parameters: ["-c", ${JSON.stringify(script)}], directory: "/", environment: process.env,
        signal: new AbortController().signal, install: "" },
      { log: ${JSON.stringify(join(directory, "log"))}, onLine: (line) => console.log(line) },
    );`,
  );
  await waitFor(() => run.lines.includes("begun"));
  run.child.kill("SIGKILL");
  await run.ended;
  const pid = Number(await waitFor(() => existsSync(done) && readFileSync(done, "utf8").trim()));
  await waitFor(() => !isOwnerAlive({ pid, startedAt: 0, processStart: null }));
  expect(readFileSync(join(directory, "log"), "utf8")).toBe("begun\n1\n2\n3\n4\n");
});

test("a program's lines are told as they come, with its exit code", async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "work"));
  const lines: string[] = [];
  const parameters = ["-c", "echo one; echo two >&2; exit 3"];
  const request = { command: "sh", parameters, directory: join(directory, "work"), environment, signal, install: "" };
  const { code } = await runToFile(request, { log: join(directory, "log"), onLine: (line) => lines.push(line) });
  expect({ code, lines }).toEqual({ code: 3, lines: ["one", "two"] });
});

test("addresses of repositories, as GitHub and as nix write them", () => {
  expect(githubRepository("git@github.com:ada/fleet.git")).toBe("ada/fleet");
  expect(githubRepository("https://github.com/ada/fleet")).toBe("ada/fleet");
  expect(githubRepository("ssh://git@github.com/ada/fleet.git")).toBe("ada/fleet");
  expect(githubRepository("https://gitlab.com/ada/fleet")).toBeNull();
  expect(flakeAddress("https://github.com/ada/clawdinator.git")).toBe("github:ada/clawdinator");
  expect(flakeAddress("git@github.com:ada/clawdinator.git")).toBe("git+ssh://git@github.com/ada/clawdinator.git");
  expect(flakeAddress("/srv/clawdinator")).toBe("git+file:///srv/clawdinator");
  expect(flakeAddress("https://example.org/x.git")).toBe("git+https://example.org/x.git");
});

test("the estimate is the sum of its lines", () => {
  const settings = { region: "eu-central-1", instanceType: "t3.small", rootGiB: 40 };
  const { lines, monthlyUsd, onceUsd } = estimateCost({ settings, sendsImage: true });
  expect(monthlyUsd).toBeCloseTo(
    lines.reduce((sum, line) => sum + line.monthlyUsd, 0),
    2,
  );
  expect(monthlyUsd).toBeGreaterThan(20);
  expect(onceUsd).toBeGreaterThan(0);
  expect(lines.find(({ what }) => what.includes("store"))?.monthlyUsd).toBeLessThan(1);
});
