/** `clawdinator-identify` as it runs at boot, against a metadata service that insists on IMDSv2. */
import { spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { encodeUserData } from "../../tools/fleet/aws/instances/user-data.ts";
import { readSpec } from "../../tools/fleet/local/instance-spec.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const script = join(import.meta.dirname, "..", "..", "nix", "module", "identify.sh");

const machine = {
  instance: "i-0123456789ab",
  name: "CLAWDINATOR-2",
  image: "ami-0123456789abcdef0",
  revision: "0123456789abcdef0123456789abcdef01234567",
  port: null,
};
const userDataOf = (data: typeof machine): string => Buffer.from(encodeUserData(data), "base64").toString("utf8");

interface Machine {
  state: string;
  runtime: string;
  url: string;
  /** What the service has been asked, in order. */
  asked: string[];
  setUserData(text: string | null): void;
}

async function startMachine(text: string | null): Promise<Machine> {
  const directory = temporaryDirectory();
  const [state, runtime] = [join(directory, "state"), join(directory, "runtime")];
  for (const path of [state, runtime]) mkdirSync(path);
  const asked: string[] = [];
  let userData = text;
  const token = "a-token-of-the-metadata-service";
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const answer = (status: number, body: string): void => {
      response.writeHead(status, { "Content-Type": "text/plain" }).end(body);
    };
    if (request.method === "PUT" && request.url === "/latest/api/token") return answer(200, token);
    if (request.headers["x-aws-ec2-metadata-token"] !== token) return answer(401, "IMDSv2 only");
    if (request.url !== "/latest/user-data" || userData === null) return answer(404, "not found");
    answer(200, userData);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    state,
    runtime,
    url,
    asked,
    setUserData: (next) => {
      userData = next;
    },
  };
}

/** Runs it as the unit does: bash with the options of a NixOS shell application. */
function identify(machine: Machine): Promise<{ status: number | null; said: string }> {
  const parameters = ["-o", "errexit", "-o", "nounset", "-o", "pipefail", script];
  const child = spawn("bash", parameters, {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env.PATH,
      STATE_DIRECTORY: machine.state,
      RUNTIME_DIRECTORY: machine.runtime,
      METADATA_URL: machine.url,
    },
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  return new Promise((resolve) => child.once("close", (status) => resolve({ status, said })));
}

test("writes the instance's file as the program reads it, for nobody else to read", async () => {
  const host = await startMachine(userDataOf(machine));
  expect(await identify(host)).toMatchObject({ status: 0 });
  const directory = join(host.state, "instances", machine.instance);
  expect(await readSpec(join(directory, "instance.json"))).toEqual({ formatVersion: 1, ...machine, candidate: true });
  expect(readdirSync(directory).sort()).toEqual(["instance.json", "logs", "run"]);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  expect(statSync(join(directory, "instance.json")).mode & 0o777).toBe(0o600);
  expect(readFileSync(join(host.runtime, "identity"), "utf8")).toBe(`CLAWDINATOR_INSTANCE=${machine.instance}\n`);
  expect(host.asked).toEqual(["PUT /latest/api/token", "GET /latest/user-data"]);
});

test("a reboot changes nothing, even when the user-data names an older revision now", async () => {
  const host = await startMachine(userDataOf(machine));
  await identify(host);
  const path = join(host.state, "instances", machine.instance, "instance.json");
  const before = { text: readFileSync(path, "utf8"), inode: statSync(path).ino };
  host.setUserData(userDataOf({ ...machine, revision: "f".repeat(40) }));
  expect(await identify(host)).toMatchObject({ status: 0 });
  expect({ text: readFileSync(path, "utf8"), inode: statSync(path).ino }).toEqual(before);
});

test.each([
  ["not JSON", "#cloud-config\nusers: []\n", /not that of an instance/],
  ["a newer format", JSON.stringify({ ...machine, formatVersion: 2 }), /newer version/],
  ["a path for an id", JSON.stringify({ ...machine, formatVersion: 1, instance: "../../etc" }), /not that of/],
  [
    "an id that sets variables",
    JSON.stringify({ ...machine, formatVersion: 1, instance: "i-1\nPATH=x" }),
    /not that of/,
  ],
  ["an id that ends a line", JSON.stringify({ ...machine, formatVersion: 1, instance: "i-1\n" }), /not that of/],
  ["a port out of range", JSON.stringify({ ...machine, formatVersion: 1, port: 70_000 }), /not that of/],
  ["two values", `${userDataOf(machine)}${userDataOf(machine)}`, /not that of/],
  ["nothing", null, /no user-data/],
])("refuses user-data that is %s, and writes nothing", async (_what, text, why) => {
  const host = await startMachine(text);
  const { status, said } = await identify(host);
  expect(status).toBe(1);
  expect(said).toMatch(why);
  expect(readdirSync(host.state)).toEqual([]);
  expect(readdirSync(host.runtime)).toEqual([]);
});

test("takes of the user-data only what a fleet writes", async () => {
  const host = await startMachine(JSON.stringify({ ...machine, formatVersion: 1, extra: "x", candidate: false }));
  expect(await identify(host)).toMatchObject({ status: 0 });
  const text = readFileSync(join(host.state, "instances", machine.instance, "instance.json"), "utf8");
  expect(Object.keys(JSON.parse(text) as object)).not.toContain("extra");
  expect(JSON.parse(text)).toMatchObject({ candidate: true });
});
