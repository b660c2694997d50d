import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const root = dirname(dirname(import.meta.dirname));

/** What the program sees, told by a stand-in for agent/main.ts. */
interface Seen {
  arguments: string[];
  cwd: string;
  pid: number;
  cache: string;
}

const program = `
const { NODE_COMPILE_CACHE: cache } = process.env;
if (process.argv[2] === "wait") {
  process.once("SIGTERM", () => process.exit(42));
  setInterval(() => {}, 1000);
}
if (process.argv[2] === "fail") process.exitCode = 7;
console.log(JSON.stringify({ arguments: process.argv.slice(2), cwd: process.cwd(), pid: process.pid, cache }));
`;

/** Stands in for npm: notes how it was called and carries this Node as the dependencies would. */
const fakeNpm = `#!/bin/sh
if [ "$1" = config ]; then echo "https://registry.example/"; exit 0; fi
mkdir "$FAKE_STATE/running" 2>/dev/null || echo overlap >>"$FAKE_STATE/calls"
echo "$PWD|$PATH|$*" >>"$FAKE_STATE/calls"
echo "some progress on stdout"
while [ -e "$FAKE_STATE/hold" ]; do sleep 0.05; done
rmdir "$FAKE_STATE/running"
if [ -e "$FAKE_STATE/broken" ]; then echo "npm error network: no route to the registry" >&2; exit 9; fi
mkdir -p node_modules/.bin
if [ ! -e "$FAKE_STATE/no-node" ]; then ln -sf "$FAKE_NODE" node_modules/.bin/node; fi
`;

let directory: string;
let checkout: string;
let state: string;
let environment: Record<string, string>;
const running = new Set<ChildProcess>();

beforeEach(async () => {
  directory = realpathSync(await mkdtemp(join(tmpdir(), "clawdinator bootstrap ")));
  checkout = join(directory, "check out");
  state = join(directory, "state");
  const tools = join(directory, "tools");
  for (const path of [join(checkout, "bootstrap"), join(checkout, "agent"), state, tools, join(directory, "home")]) {
    mkdirSync(path, { recursive: true });
  }
  copyFileSync(join(root, "bootstrap", "run"), join(checkout, "bootstrap", "run"));
  for (const name of ["package.json", "package-lock.json"]) copyFileSync(join(root, name), join(checkout, name));
  writeFileSync(join(checkout, "agent", "main.ts"), program);
  // A PATH with what any system has, and no Node and no npm but ours.
  for (const tool of ["sh", "cat", "cmp", "cp", "ln", "mkdir", "mv", "readlink", "rm", "rmdir", "sleep"]) {
    symlinkSync(spawnSync("sh", ["-c", `command -v ${tool}`], { encoding: "utf8" }).stdout.trim(), join(tools, tool));
  }
  writeFileSync(join(tools, "npm"), fakeNpm, { mode: 0o755 });
  environment = { PATH: tools, HOME: join(directory, "home"), FAKE_STATE: state, FAKE_NODE: process.execPath };
});
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  running.clear();
  await rm(directory, { recursive: true, force: true });
});

interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

interface Started {
  child: ChildProcess;
  finished: Promise<Finished>;
  /** Resolves when the output so far contains the text. */
  said(text: string): Promise<void>;
}

function start(
  parameters: string[],
  options: { cwd?: string; command?: string; env?: SpawnOptions["env"] } = {},
): Started {
  const command = options.command ?? join(checkout, "bootstrap", "run");
  const child = spawn(command, parameters, {
    cwd: options.cwd ?? directory,
    env: options.env ?? environment,
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const output = { stdout: "", stderr: "" };
  const waiting = new Set<() => void>();
  for (const name of ["stdout", "stderr"] as const) {
    child[name]?.on("data", (chunk: Buffer) => {
      output[name] += chunk;
      for (const look of waiting) look();
    });
  }
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      running.delete(child);
      resolve({ code, ...output });
    });
  });
  const said = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.stdout.includes(text) || output.stderr.includes(text)) resolve();
      };
      waiting.add(look);
      look();
      finished.then(({ stderr }) => reject(new Error(`it ended without saying “${text}”: ${stderr}`)), reject);
    });
  return { child, finished, said };
}

const run = (parameters: string[], options?: Parameters<typeof start>[1]): Promise<Finished> =>
  start(parameters, options).finished;
const seen = (finished: Finished): Seen => JSON.parse(finished.stdout) as Seen;
const calls = (): string[] =>
  existsSync(join(state, "calls")) ? readFileSync(join(state, "calls"), "utf8").trim().split("\n") : [];
const stamp = (name: "lock" | "mode"): string => join(checkout, "node_modules", `.installed-${name}`);
const lockFile = (): string => join(checkout, "package-lock.json");

describe("installing", () => {
  test("the first start installs with one line on stderr; the second goes straight to the program", async () => {
    const first = await run(["up", "--json"]);
    expect(first.code).toBe(0);
    expect(seen(first).arguments).toEqual(["up", "--json"]);
    expect(first.stderr.trim().split("\n")).toHaveLength(1);
    expect(first.stderr).toContain("installing production dependencies");
    const second = await run(["up"]);
    expect(second.stderr).toBe("");
    expect(seen(second).arguments).toEqual(["up"]);
    expect(calls()).toHaveLength(1);
  });

  test("npm runs in the checkout, from the lock file, without scripts, and not on a Node that it may replace", async () => {
    const own = join(checkout, "node_modules", ".bin");
    await run(["up"], { env: { ...environment, PATH: `${own}:${environment.PATH}:${own}` } });
    const [cwd, path, parameters] = calls()[0]?.split("|") ?? [];
    expect(cwd).toBe(checkout);
    expect(path).toBe(environment.PATH);
    for (const option of ["install", "--no-save", "--ignore-scripts", "--omit=dev"])
      expect(parameters?.split(" ")).toContain(option);
  });

  test("a changed lock file or a task that needs more installs again; what serves development serves both", async () => {
    await run(["up"]);
    await run(["--development", "up"]);
    expect(calls().map((call) => call.includes("--omit=dev"))).toEqual([true, false]);
    await run(["up"]);
    expect(calls()).toHaveLength(2);
    writeFileSync(lockFile(), `${readFileSync(lockFile(), "utf8")}\n`);
    await run(["up"]);
    // A checkout that was set up for development stays so.
    expect(calls().map((call) => call.includes("--omit=dev"))).toEqual([true, false, false]);
    expect(readFileSync(stamp("mode"), "utf8")).toBe("development\n");
    expect(readFileSync(stamp("lock"), "utf8")).toBe(readFileSync(lockFile(), "utf8"));
  });

  test("of two starts at once one installs and the other waits for it", async () => {
    writeFileSync(join(state, "hold"), "");
    const one = start(["one"]);
    await one.said("installing");
    const two = start(["two"]);
    await two.said("waiting for");
    await rm(join(state, "hold"));
    const [first, second] = await Promise.all([one.finished, two.finished]);
    expect(seen(first).arguments).toEqual(["one"]);
    expect(seen(second).arguments).toEqual(["two"]);
    expect(calls()).toHaveLength(1);
  });

  test("five starts on the lock of a dead one do not collide", async () => {
    mkdirSync(join(checkout, "node_modules"));
    const dead = spawnSync("true");
    symlinkSync(`process-${dead.pid}`, join(checkout, "node_modules", ".installing"));
    const finished = await Promise.all(["1", "2", "3", "4", "5"].map((name) => run([name])));
    expect(finished.map((one) => seen(one).arguments[0])).toEqual(["1", "2", "3", "4", "5"]);
    expect(calls()).toHaveLength(1);
  });

  test("an installation that was killed half way is done again by the next start", async () => {
    writeFileSync(join(state, "hold"), "");
    const one = start(["one"]);
    await one.said("installing");
    one.child.kill("SIGKILL");
    await rm(join(state, "hold"));
    await one.finished;
    expect(existsSync(stamp("lock"))).toBe(false);
    const again = await run(["again"]);
    expect(seen(again).arguments).toEqual(["again"]);
    expect(existsSync(stamp("lock"))).toBe(true);
  });

  test("SIGTERM ends the installation at once and leaves no lock", async () => {
    writeFileSync(join(state, "hold"), "");
    const one = start(["one"]);
    await one.said("installing");
    one.child.kill("SIGTERM");
    expect((await one.finished).code).toBe(143);
    expect(existsSync(join(checkout, "node_modules", ".installing"))).toBe(false);
    expect(existsSync(stamp("lock"))).toBe(false);
  });

  test("a failed installation shows npm's words and what to do, exits non-zero, and is tried again next time", async () => {
    writeFileSync(join(state, "broken"), "");
    const failed = await run(["up"]);
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("no route to the registry");
    expect(failed.stderr).toContain("https://registry.example/");
    expect(failed.stderr).toContain("HTTPS_PROXY");
    await rm(join(state, "broken"));
    expect((await run(["up"])).code).toBe(0);
    expect(calls()).toHaveLength(2);
  });

  test("a system without npm is told what to install", async () => {
    await rm(join(environment.PATH ?? "", "npm"));
    const failed = await run(["up"]);
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("npm is not installed");
    expect(failed.stderr).toContain("apt-get install npm");
  });

  test("an absent lock file is named", async () => {
    await rm(lockFile());
    const failed = await run(["up"]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain("package-lock.json is missing");
  });
});

describe("running", () => {
  beforeEach(async () => {
    await run(["set-up"]);
  });

  test("keeps arguments, working directory and exit code", async () => {
    const finished = await run(["ask", "two words", "", "*", "$HOME", "--", "-x"], { cwd: state });
    expect(seen(finished)).toMatchObject({ arguments: ["ask", "two words", "", "*", "$HOME", "--", "-x"], cwd: state });
    expect((await run(["fail"])).code).toBe(7);
  });

  test("works through symbolic links, absolute and relative ones, one behind the other", async () => {
    mkdirSync(join(directory, "bin"));
    symlinkSync(join("..", "check out", "bootstrap", "run"), join(directory, "bin", "relative"));
    symlinkSync(join(directory, "bin", "relative"), join(directory, "absolute"));
    expect(seen(await run(["x"], { command: join(directory, "absolute"), cwd: "/" })).cwd).toBe("/");
    const path = `${join(directory, "bin")}:${environment.PATH}`;
    expect((await run(["x"], { command: "relative", env: { ...environment, PATH: path } })).code).toBe(0);
  });

  test("runs a file of the checkout when it is named, from anywhere, and a command otherwise", async () => {
    mkdirSync(join(checkout, "docs"));
    writeFileSync(join(checkout, "docs", "other.ts"), "console.log('other', process.argv[2])");
    expect((await run(["--development", "docs/other.ts", "a"], { cwd: "/" })).stdout).toBe("other a\n");
    expect(seen(await run(["absent.ts", "a"])).arguments).toEqual(["absent.ts", "a"]);
  });

  test("becomes the program, so that signals reach it", async () => {
    const started = start(["wait"]);
    await started.said('"pid"');
    started.child.kill("SIGTERM");
    const finished = await started.finished;
    expect(finished.code).toBe(42);
    expect(seen(finished).pid).toBe(started.child.pid);
  });

  test("keeps compiled code in the user's cache, and in the checkout where there is no home", async () => {
    const { HOME, ...homeless } = environment;
    expect(seen(await run(["x"])).cache).toBe(`${HOME}/.cache/clawdinator/compile`);
    expect(seen(await run(["x"], { env: { ...homeless, XDG_CACHE_HOME: `${directory}/cache` } })).cache).toBe(
      `${directory}/cache/clawdinator/compile`,
    );
    const inside = join(checkout, "node_modules", ".cache");
    expect(seen(await run(["x"], { env: homeless })).cache).toBe(inside);
    expect(seen(await run(["x"], { env: { ...homeless, HOME: "" } })).cache).toBe(inside);
    const chosen = join(directory, "chosen");
    expect(seen(await run(["x"], { env: { ...environment, NODE_COMPILE_CACHE: chosen } })).cache).toBe(chosen);
  });
});

describe("where no dependency carries Node for this system", () => {
  beforeEach(async () => {
    writeFileSync(join(state, "no-node"), "");
  });

  test("a new enough Node in PATH is taken", async () => {
    symlinkSync(process.execPath, join(environment.PATH ?? "", "node"));
    expect((await run(["up"])).code).toBe(0);
  });

  test("an old one is refused with what to do", async () => {
    const old = join(environment.PATH ?? "", "node");
    writeFileSync(old, '#!/bin/sh\nif [ "$1" = --version ]; then echo v20.20.2; exit 0; fi\nexit 1\n');
    chmodSync(old, 0o755);
    const failed = await run(["up"]);
    expect(failed).toMatchObject({ code: 1, stdout: "" });
    expect(failed.stderr).toContain("Node.js 24.12 or newer");
    expect(failed.stderr).toContain("v20.20.2");
  });

  test("none at all is told as such", async () => {
    const failed = await run(["up"]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain("found in PATH: none");
  });
});

test("with the real npm and an empty home: the first start installs Node and what production needs", async () => {
  const real = { ...process.env, HOME: join(directory, "home"), NODE_COMPILE_CACHE: join(directory, "cache") };
  const first = await run(["up"], { env: real });
  expect(first.stderr.trim().split("\n")).toHaveLength(1);
  expect(first.code).toBe(0);
  expect(seen(first).arguments).toEqual(["up"]);
  expect(existsSync(join(checkout, "node_modules", "zod", "package.json"))).toBe(true);
  expect(existsSync(join(checkout, "node_modules", "vitest"))).toBe(false);
  expect(readFileSync(lockFile(), "utf8")).toBe(readFileSync(join(root, "package-lock.json"), "utf8"));
  const second = await run(["up"], { env: real });
  expect(second).toMatchObject({ code: 0, stderr: "" });
}, 300_000);
