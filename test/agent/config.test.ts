import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { configShape, loadConfig, parseConfig } from "../../agent/config.ts";
import { ConfigError } from "../../tools/errors.ts";

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clawdinator-config-"));
  path = join(directory, "config.json");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("an absent default file means the defaults, all of them valid", () => {
  const config = loadConfig({ path, required: false });
  expect(config).toEqual(parseConfig({}, "nothing"));
  expect(config.instanceName).toBe("CLAWDINATOR-1");
  expect(config.gateway).toEqual({ port: 18_789, host: "127.0.0.1", allowedHosts: [] });
});

test("a value in the file replaces one default and leaves its neighbours", async () => {
  await writeFile(path, '{ "gateway": { "port": 0 }, "fleet": { "leaseSeconds": 2 } }');
  const config = loadConfig({ path, required: true });
  expect(config.gateway.port).toBe(0);
  expect(config.gateway.host).toBe("127.0.0.1");
  expect(config.fleet.leaseSeconds).toBe(2);
  expect(config.fleet.drainSeconds).toBe(parseConfig({}, "nothing").fleet.drainSeconds);
});

test("an absent file that was named is an error that names it and the option", () => {
  const error = failure(() => loadConfig({ path, required: true }));
  expect(error).toMatchObject({ code: "config_unreadable" });
  expect(error.message).toContain(path);
  expect(error.hint).toContain("--config");
});

test("a directory in its place is an error even where no file is required", () => {
  const error = failure(() => loadConfig({ path: directory, required: false }));
  expect(error.code).toBe("config_unreadable");
  expect(error.message).toContain(directory);
});

test("text that is not JSON is an error that names the file and the place", async () => {
  await writeFile(path, '{ "gateway": { "port": 1, } }');
  const error = failure(() => loadConfig({ path, required: true }));
  expect(error.code).toBe("config_syntax");
  expect(error.message).toContain(path);
  expect(error.message).toMatch(/position \d+/);
  expect(error.hint).toContain("trailing commas");
});

test("reports all problems together, each with its key, and how to mend them", () => {
  const raw = {
    instanceName: "clawd",
    gatway: {},
    gateway: { port: 70_000, hots: "0.0.0.0" },
    conversations: { mode: "shout" },
    limits: { turns: 1.5, proposalsPerRun: "many" },
    log: { level: "loud" },
  };
  const error = failure(() => parseConfig(raw, "/etc/clawdinator.json"));
  expect(error.code).toBe("config_invalid");
  const [head, ...lines] = error.message.split("\n");
  expect(head).toBe("/etc/clawdinator.json has 8 problems:");
  const problem = (key: string): string =>
    lines.find((line) => line.trimStart().startsWith(`${key}:`)) ?? `nothing about ${key}`;
  expect(lines).toHaveLength(8);
  expect(problem("instanceName")).toContain("CLAWDINATOR-1");
  expect(problem("gatway")).toContain("gateway");
  expect(problem("gateway.port")).toContain("65535");
  expect(problem("gateway.hots")).toContain("allowedHosts, host, port");
  expect(problem("conversations.mode")).toMatch(/interrupt.*queue/);
  expect(problem("limits.turns")).toContain("int");
  expect(problem("limits.proposalsPerRun")).toContain("number");
  expect(problem("log.level")).toMatch(/debug.*info.*warn.*error/);
  expect(error.hint).toContain("README.md");
});

test.each([null, [], "text", 3])("refuses %j as a whole file", (raw) => {
  const error = failure(() => parseConfig(raw, "c.json"));
  expect(error.message).toContain("c.json has a problem:");
  expect(error.message).toContain("(the whole file)");
});

test("the provider decides how patient the fleet is, and what is given wins", () => {
  const aws = {
    provider: "aws",
    aws: { bucket: "fleet-bucket" },
    fleet: { repository: "https://example.org/fleet.git" },
    program: { repository: "https://example.org/program.git" },
  };
  expect(parseConfig({}, "c").fleet).toMatchObject({ candidateSeconds: 60, leaseSeconds: 15 });
  expect(parseConfig(aws, "c").fleet).toMatchObject({ candidateSeconds: 900, leaseSeconds: 900 });
  const given = parseConfig({ ...aws, fleet: { ...aws.fleet, leaseSeconds: 60 } }, "c");
  expect(given.fleet).toMatchObject({ candidateSeconds: 900, leaseSeconds: 60 });
  expect(given.aws).toMatchObject({ region: "eu-central-1", instanceType: "t3.small", rootGiB: 40 });
});

test("on AWS everything that is missing is named at once, with where it comes from", () => {
  const error = failure(() => parseConfig({ provider: "aws", aws: { region: "Frankfurt" } }, "c.json"));
  expect(error.message).toMatch(/aws\.region: a region is written like eu-central-1/);
  expect(error.message).toMatch(/aws\.bucket: /);
  const rest = failure(() => parseConfig({ provider: "aws" }, "c.json"));
  for (const key of ["aws", "fleet.repository", "program.repository"]) {
    expect(rest.message).toMatch(new RegExp(`^  ${key}: needed with .provider: aws.`, "m"));
  }
});

test("every key has a description and every value key but optional ones a default, for the table in README.md", () => {
  const missing: string[] = [];
  const visit = (schema: ReturnType<typeof configShape>["root"], key: string): void => {
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      const full = key ? `${key}.${name}` : name;
      if (child.properties) visit(child, full);
      else if (!child.description) missing.push(full);
      else if (child.default === undefined && !/default|as the endpoint knows it|understands/.test(child.description))
        missing.push(full);
    }
  };
  visit(configShape().root, "");
  expect(missing).toEqual([]);
});

function failure(work: () => unknown): ConfigError {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
