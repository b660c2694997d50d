import { chmodSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { defaultHome, fleetPaths, instancePaths, prepareSocketDirectory } from "../../agent/paths.ts";
import { ConfigError } from "../../tools/errors.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "clawdinator-paths-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("the state directory is CLAWDINATOR_HOME, else the user's state directory", () => {
  expect(defaultHome({ CLAWDINATOR_HOME: "/srv/clawd", XDG_STATE_HOME: "/x", HOME: "/h" })).toBe("/srv/clawd");
  expect(defaultHome({ XDG_STATE_HOME: "/x", HOME: "/h" })).toBe("/x/clawdinator");
  expect(defaultHome({ HOME: "/h" })).toBe("/h/.local/state/clawdinator");
  expect(defaultHome({ CLAWDINATOR_HOME: "", XDG_STATE_HOME: "", HOME: "/h" })).toBe("/h/.local/state/clawdinator");
});

test("a relative CLAWDINATOR_HOME is taken from the working directory, so that every process means the same place", () => {
  expect(defaultHome({ CLAWDINATOR_HOME: "state" })).toBe(join(process.cwd(), "state"));
});

test("what siblings share lies below fleet/, what one instance owns below instances/", () => {
  const fleet = fleetPaths("/home");
  for (const path of [fleet.repository, fleet.store, fleet.memory, fleet.conversations, fleet.images]) {
    expect(dirname(path)).toBe("/home/fleet");
  }
  const one = instancePaths("/home", "i-one");
  const two = instancePaths("/home", "i-two");
  for (const [key, path] of Object.entries(one)) {
    expect(path.startsWith("/home/instances/i-one")).toBe(true);
    expect(path).not.toBe(two[key as keyof typeof two]);
  }
});

test("a socket whose path would be too long lies in a short directory of this user, one for each instance", () => {
  const home = `/${"deep/".repeat(30)}`;
  const one = instancePaths(home, "i-one");
  const two = instancePaths(home, "i-two");
  const sockets = [one.mindSocket, one.controlSocket, two.mindSocket, two.controlSocket];
  expect(new Set(sockets).size).toBe(4);
  for (const socket of sockets) {
    expect(Buffer.byteLength(socket)).toBeLessThanOrEqual(103);
    expect(socket.startsWith(join(tmpdir(), `clawdinator-${process.getuid?.()}`))).toBe(true);
  }
  expect(instancePaths(home, "i-one").mindSocket).toBe(one.mindSocket);
  expect(one.mindLock.startsWith(home)).toBe(true);
});

test("length is counted in bytes, as the system does", () => {
  const home = `/${"é".repeat(40)}`;
  expect(Buffer.byteLength(join(home, "instances/i-1/run/control.sock"))).toBeGreaterThan(103);
  expect(instancePaths(home, "i-1").controlSocket.startsWith(tmpdir())).toBe(true);
});

test("a server can listen on the fallback", async () => {
  const { mindSocket } = instancePaths(join(directory, "long".repeat(30)), "i-one");
  prepareSocketDirectory(dirname(mindSocket));
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(mindSocket, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
});

test("a socket's directory becomes private, also one that was not", () => {
  const path = join(directory, "run");
  prepareSocketDirectory(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  chmodSync(path, 0o777);
  prepareSocketDirectory(path);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

test("refuses a link in place of the socket's directory: whoever made it could lead elsewhere", () => {
  const elsewhere = join(directory, "elsewhere");
  mkdirSync(elsewhere);
  const path = join(directory, "run");
  symlinkSync(elsewhere, path);
  expect(() => prepareSocketDirectory(path)).toThrow(ConfigError);
});
