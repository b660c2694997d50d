import { execFileSync } from "node:child_process";
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { fleetPaths, instancePaths } from "../../../agent/paths.ts";
import { instanceLayout, localLayout } from "../../../tools/fleet/local/layout.ts";
import { createLocalProvider } from "../../../tools/fleet/local/provider.ts";
import { isProcessLockHeld, readLockOwner } from "../../../tools/process-lock.ts";
import { makeRepository } from "../../support/git.ts";
import { runModule } from "../../support/run-module.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { waitFor } from "../../support/wait.ts";

const stopOptions = { graceMs: 10_000, signal: new AbortController().signal };

const lockModule = pathToFileURL(join(import.meta.dirname, "../../../tools/process-lock.ts")).href;

/** A process pair that takes the locks as the real one does. `onTerm` is what its gateway does when asked to end. */
const program = (onTerm: string, onStart = "") => `
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { acquireProcessLock } from ${JSON.stringify(lockModule)};
const [role, , home, , instance] = process.argv.slice(2);
const run = home + "/instances/" + instance + "/run";
const isGateway = role === "up";
${onStart}
if (isGateway) appendFileSync(home + "/starts", process.pid + "\\n");
if (!acquireProcessLock(run + (isGateway ? "/gateway.lock" : "/mind.lock"))) process.exit(3);
setInterval(() => {}, 1000);
if (isGateway) {
  console.log("environment " + Object.keys(process.env).sort().join(" "));
  const mind = spawn(process.execPath, [import.meta.filename, "mind", "--home", home, "--instance", instance]);
  const end = () => mind.kill() ? mind.on("exit", () => process.exit(0)) : process.exit(0);
  process.on("SIGTERM", () => { ${onTerm} });
}
`;

async function setUp(options: { onTerm?: string; onStart?: string } = {}) {
  const home = temporaryDirectory();
  const source = join(home, "source");
  const main = program(options.onTerm ?? "end()", options.onStart);
  const revision = makeRepository(source, { "package.json": `{ "type": "module" }\n`, "agent/main.ts": main });
  const environment = { ...process.env, OPENAI_API_KEY: "key", AWS_SECRET_ACCESS_KEY: "secret", GITHUB_TOKEN: "token" };
  const provider = createLocalProvider({ home, programRepository: source, node: process.execPath, environment });
  const signal = new AbortController().signal;
  const { image } = await provider.buildImage("HEAD", { progress: () => {}, signal });
  const spec = { instance: "i-1", name: "CLAWDINATOR-2", image: image.id, revision, port: 18790, placement: null };
  const layout = instanceLayout(localLayout(home), spec.instance);
  const stop = (graceMs = 10_000) => provider.stop(spec.instance, { graceMs, signal });
  onTestFinished(() => stop(0));
  const ready = () => waitFor(() => isProcessLockHeld(layout.mindLock));
  const starts = () => readFileSync(join(home, "starts"), "utf8").trim().split("\n");
  return { home, provider, spec, layout, stop, ready, starts };
}

const isAlive = (pid: number) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

test("keeps things where the rest of the program looks for them", () => {
  const paths = fleetPaths("/home/x/state");
  const layout = localLayout("/home/x/state");
  const { program: mirror, images, instances } = paths;
  expect(layout).toMatchObject({ program: mirror, images, instances });
  const { directory, spec, run, logs, gatewayLock, mindLock } = instancePaths("/home/x/state", "i-1");
  expect(instanceLayout(layout, "i-1")).toMatchObject({ directory, spec, run, logs, gatewayLock, mindLock });
});

test("launches a detached pair with a state directory of its own, once, and lists it", async () => {
  const { provider, spec, layout, ready, starts } = await setUp();
  expect(await provider.liveness("i-1")).toBe("absent");
  await Promise.all([provider.launch(spec), provider.launch(spec)]);
  await provider.launch(spec);
  await ready();
  expect(starts()).toHaveLength(1);
  expect(await provider.liveness("i-1")).toBe("running");
  const { port, placement: _, ...listed } = spec;
  expect(JSON.parse(readFileSync(layout.spec, "utf8"))).toEqual({ formatVersion: 1, ...listed, port, candidate: true });
  expect(await provider.list()).toEqual([{ ...listed, liveness: "running", machine: null }]);
});

test("hands on the allowed variables and nothing else", async () => {
  const { provider, spec, ready } = await setUp();
  await provider.launch(spec);
  await ready();
  const line = (await provider.readLog("i-1", 50)).find((text) => text.startsWith("gateway: environment"));
  expect(line).toContain("CLAWDINATOR_HOME");
  expect(line).toContain("NODE_COMPILE_CACHE");
  expect(line).toContain("OPENAI_API_KEY");
  expect(line).not.toMatch(/AWS_|GITHUB_|GIT_|VITEST|npm_/);
});

test("stop ends both processes, is confirmed, and is safe to repeat; the directory goes with remove", async () => {
  const { provider, spec, layout, stop, ready } = await setUp();
  await provider.launch(spec);
  await ready();
  const pids = [readLockOwner(layout.gatewayLock)?.pid ?? 0, readLockOwner(layout.mindLock)?.pid ?? 0];
  await stop();
  expect(pids.map(isAlive)).toEqual([false, false]);
  expect(await provider.liveness("i-1")).toBe("stopped");
  await stop();
  await provider.remove("i-1", stopOptions);
  await provider.remove("i-1", stopOptions);
  await stop();
  expect(await provider.liveness("i-1")).toBe("absent");
  expect(existsSync(layout.directory)).toBe(false);
});

test("remove stops what still runs", async () => {
  const { provider, spec, layout, ready } = await setUp();
  await provider.launch(spec);
  await ready();
  const pids = [readLockOwner(layout.gatewayLock)?.pid ?? 0, readLockOwner(layout.mindLock)?.pid ?? 0];
  await provider.remove("i-1", stopOptions);
  expect(pids.map(isAlive)).toEqual([false, false]);
  expect(existsSync(layout.directory)).toBe(false);
});

test("what a killed launch or removal left goes when it is done again, or undone", async () => {
  const { home, provider, spec, stop, ready } = await setUp();
  const left = () => readdirSync(join(home, "instances")).filter((name) => name.startsWith("."));
  for (const name of [".launching-i-1-aaaaaa", ".launching-i-1-bbbbbb"]) {
    mkdirSync(join(home, "instances", name), { recursive: true });
  }
  await provider.launch(spec);
  await ready();
  expect(left()).toEqual([]);
  await stop();
  mkdirSync(join(home, "instances", ".removed-i-1"));
  await provider.remove("i-1", stopOptions);
  expect(left()).toEqual([]);
  // A launch that came no further than that, and is undone.
  mkdirSync(join(home, "instances", ".launching-i-1-cccccc"));
  mkdirSync(join(home, "instances", ".removed-i-1"));
  await provider.remove("i-1", stopOptions);
  expect(readdirSync(join(home, "instances"))).toEqual([]);
});

test("kills a pair that does not end within its grace", async () => {
  const { provider, spec, stop, ready } = await setUp({ onTerm: "console.log('no')" });
  await provider.launch(spec);
  await ready();
  await stop(200);
  expect(await provider.liveness("i-1")).toBe("stopped");
  expect(await provider.readLog("i-1", 5)).toContain("gateway: no");
});

test("stops a mind that lost its gateway, and launches again after a crash", async () => {
  const { provider, spec, layout, stop, ready, starts } = await setUp();
  await provider.launch(spec);
  await ready();
  const gateway = readLockOwner(layout.gatewayLock)?.pid ?? 0;
  process.kill(gateway, "SIGKILL");
  await waitFor(() => !isProcessLockHeld(layout.gatewayLock));
  expect(await provider.liveness("i-1")).toBe("running");
  await provider.launch(spec);
  expect(starts()).toHaveLength(2);
  process.kill(readLockOwner(layout.gatewayLock)?.pid ?? 0, "SIGKILL");
  await waitFor(() => !isProcessLockHeld(layout.gatewayLock));
  await stop();
  expect(isProcessLockHeld(layout.mindLock)).toBe(false);
});

test("a gateway that was started by a launcher killed just then is found and stopped before it holds its lock", async () => {
  const wait =
    "if (isGateway) { appendFileSync(home + '/early', ''); await new Promise((go) => setTimeout(go, 60_000)); }";
  const { home, provider, spec, layout, stop } = await setUp({ onStart: wait });
  const launcher = runModule(`
    const { createLocalProvider } = await import(project("tools/fleet/local/provider.ts"));
    const node = process.execPath;
    const provider = createLocalProvider({ home: ${JSON.stringify(home)}, programRepository: null, node, environment: process.env });
    await provider.launch(${JSON.stringify(spec)});
  `);
  await waitFor(() => existsSync(join(home, "early")) && existsSync(layout.spawned));
  launcher.child.kill("SIGKILL");
  await launcher.ended;
  expect(await provider.liveness("i-1")).toBe("running");
  // As if the launcher had been killed before it could note whom it started.
  writeFileSync(layout.spawned, "");
  await stop(5_000);
  const processes = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
  expect(processes).not.toContain(`up --home ${home} `);
});

test("a mind that was just being started when its gateway was killed is stopped before it holds its lock", async () => {
  const wait =
    "if (!isGateway) { appendFileSync(home + '/early', ''); await new Promise((go) => setTimeout(go, 60_000)); }";
  const { home, provider, spec, layout, stop } = await setUp({ onStart: wait });
  await provider.launch(spec);
  await waitFor(() => existsSync(join(home, "early")));
  process.kill(readLockOwner(layout.gatewayLock)?.pid ?? 0, "SIGKILL");
  await waitFor(() => !isProcessLockHeld(layout.gatewayLock));
  await stop();
  expect(execFileSync("ps", ["-eo", "args"], { encoding: "utf8" })).not.toContain(`--home ${home} `);
});

test("a program that ends at once is an error with its last words", async () => {
  const { provider, spec } = await setUp({ onStart: "console.error('cannot read the soul'); process.exit(1);" });
  await expect(provider.launch(spec)).rejects.toThrow(/ended while it started\n {2}cannot read the soul/);
  expect(await provider.liveness("i-1")).toBe("stopped");
});

test("never signals a process that only has the pid of the one that was started", async () => {
  const { provider, spec, layout, stop, ready } = await setUp();
  await provider.launch(spec);
  await ready();
  await stop();
  const stranger = runModule("console.log('here'); setInterval(() => {}, 1000);");
  await waitFor(() => stranger.lines.length > 0);
  writeFileSync(layout.spawned, JSON.stringify({ pid: stranger.child.pid, startedAt: Date.now(), processStart: "1" }));
  await stop();
  expect(await provider.liveness("i-1")).toBe("stopped");
  expect(stranger.child.exitCode ?? stranger.child.signalCode).toBeNull();
});

test("reads the last lines of long logs", async () => {
  const { provider, layout } = await setUp();
  mkdirSync(layout.logs, { recursive: true });
  for (let block = 0; block < 40; block++) {
    appendFileSync(
      layout.gatewayLog,
      Array.from({ length: 100 }, (_, line) => `${block * 100 + line} ${"x".repeat(90)}\n`).join(""),
    );
  }
  writeFileSync(layout.mindLog, "one\ntwo");
  const lines = await provider.readLog("i-1", 300);
  expect(lines).toHaveLength(302);
  expect(lines[0]).toMatch(/^gateway: 3700 x/);
  expect(lines.slice(-2)).toEqual(["mind: one", "mind: two"]);
  expect(await provider.readLog("i-2", 5)).toEqual([]);
});

test.each(["../x", ".hidden", "", "a/b"])("refuses %j as an instance id", async (instance) => {
  const provider = createLocalProvider({ home: temporaryDirectory(), programRepository: null, environment: {} });
  await expect(async () => provider.liveness(instance)).rejects.toMatchObject({ code: "instance_id_invalid" });
});

test("an instance file of a newer version is refused with its path", async () => {
  const { provider, layout } = await setUp();
  mkdirSync(layout.directory, { recursive: true });
  writeFileSync(layout.spec, JSON.stringify({ formatVersion: 2 }));
  await expect(provider.list()).rejects.toThrow(layout.spec);
});
