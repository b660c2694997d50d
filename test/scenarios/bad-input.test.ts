/** What goes wrong outside: each is told with what, where and what to do, and nothing is lost. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import type { FleetStatus } from "../../tools/fleet/model.ts";
import { type CommandResult, makeFleet, processesBelow, shareFleet, type TestFleet } from "../support/fleet.ts";
import { waitFor } from "../support/wait.ts";

const shared = shareFleet();

interface Failure {
  exit: number;
  code: string;
  message: string;
  hint: string;
}

/** With --json: exactly one JSON value on stdout, which is an error. */
function failureOf({ code, stdout, stderr }: CommandResult): Failure {
  expect(stdout.trimEnd().split("\n"), stdout + stderr).toHaveLength(1);
  const { error } = JSON.parse(stdout) as { error: Omit<Failure, "exit"> };
  expect(error.hint).not.toBe("");
  return { exit: code, ...error };
}

async function up(
  fleet: TestFleet,
  parameters: string[] = [],
  environment: Record<string, string> = {},
): Promise<Failure> {
  return failureOf(await fleet.cli(["up", ...parameters, "--json"], { environment }));
}

async function occupiedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("a broken configuration is told with all its problems at once, and nothing is started", async () => {
  const fleet = makeFleet({
    config: {
      instanceName: "Bob",
      gateway: { port: 99_999, prot: 1 },
      limits: { turns: "many" },
      log: { level: "loud" },
      colour: "red",
    },
  });
  const failure = await up(fleet);
  expect(failure).toMatchObject({ exit: 1, code: "config_invalid" });
  for (const part of [
    "config.json",
    "6 problems",
    "instanceName",
    "gateway.port",
    "gateway.prot: there is no such key; known here: allowedHosts, host, port",
    "limits.turns",
    "log.level",
    "colour",
  ]) {
    expect(failure.message).toContain(part);
  }
  expect(readdirSync(fleet.home)).toEqual(["config.json"]);
  const plain = await fleet.cli(["up"]);
  expect(plain).toMatchObject({ code: 1, stdout: "" });
  expect(plain.stderr).toContain("limits.turns");

  writeFileSync(join(fleet.home, "config.json"), "{ port: 1 }");
  expect(await up(fleet)).toMatchObject({
    exit: 1,
    code: "config_syntax",
    message: expect.stringContaining("config.json"),
  });
  expect(await up(fleet, ["--config", join(fleet.home, "none.json")])).toMatchObject({
    exit: 1,
    code: "config_unreadable",
    message: expect.stringContaining("none.json"),
  });
  expect(processesBelow(fleet.home)).toEqual([]);
});

test("a port that is taken is told, and the state is as it was for the next start", async () => {
  const fleet = makeFleet();
  const port = await occupiedPort();
  expect(await up(fleet, ["--port", String(port)])).toMatchObject({
    exit: 1,
    code: "port_in_use",
    message: expect.stringContaining(String(port)),
    hint: expect.stringContaining("--port"),
  });
  expect(processesBelow(fleet.home)).toEqual([]);
  await fleet.start();
  const { id } = await fleet.propose("spawn a sibling");
  const token = fleet.token();
  await fleet.stop();
  expect(await up(fleet, ["--port", String(port)])).toMatchObject({ exit: 1, code: "port_in_use" });
  expect(processesBelow(fleet.home)).toEqual([]);
  await fleet.start();
  expect(fleet.token()).toBe(token);
  expect(await fleet.json("approvals", "show", id)).toMatchObject({ state: "pending" });
});

const canMount = process.getuid?.() === 0 && process.platform === "linux" && mountWorks();

function mountWorks(): boolean {
  const probe = `/tmp/clawdinator-mount-probe-${process.pid}`;
  try {
    mkdirSync(probe);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe], { stdio: "ignore" });
    execFileSync("umount", [probe], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

/** Takes every free byte of the file system. */
function fill(path: string): void {
  const file = openSync(path, "w");
  try {
    for (let size = 1024 * 1024; size >= 1; ) {
      try {
        writeSync(file, Buffer.alloc(size));
      } catch {
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(file);
  }
}

test.runIf(canMount)(
  "a full disk is told as such, and with space again everything that was confirmed is there and work goes on",
  async () => {
    const endings: (() => void | Promise<void>)[] = [];
    const fleet = makeFleet({ atEnd: (work) => endings.push(work) });
    const config = readFileSync(join(fleet.home, "config.json"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", fleet.home]);
    onTestFinished(async () => {
      const [remove, ...stops] = endings;
      for (const work of stops.reverse()) await work();
      // What was killed last may take a moment to let go of its files.
      await waitFor(() => spawnSync("umount", [fleet.home]).status === 0, { timeoutMs: 30_000, what: "the umount" });
      await remove?.();
    });
    writeFileSync(join(fleet.home, "config.json"), config);
    await fleet.start();
    const proposal = await fleet.propose("spawn a sibling");
    expect((await fleet.cli(["memory", "write", "kept.md", "this stays"])).code).toBe(0);

    const filler = join(fleet.home, "filler");
    fill(filler);
    // The database may have some room left in its own files: say more until it has not.
    const failure = await waitFor(
      async () => {
        fill(filler);
        const { code, stdout } = await fleet.cli(["ask", `status ${"x".repeat(20_000)}`, "--json"]);
        return code !== 0 && stdout.includes('"disk_full"') ? stdout : null;
      },
      { timeoutMs: 60_000, what: `an error that says that the disk is full` },
    );
    const error = failure
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
      .find((line) => line.error);
    expect(error).toMatchObject({
      error: { code: "disk_full", message: expect.stringContaining("full"), hint: expect.stringContaining("free") },
    });
    const write = failureOf(await fleet.cli(["memory", "write", "kept.md", "--json"], { input: "x".repeat(500_000) }));
    expect(write).toMatchObject({ exit: 1, code: "disk_full" });

    rmSync(filler);
    const answer = await waitFor(
      async () => {
        const { code, stdout } = await fleet.cli(["ask", "--conversation", "after", "status"]);
        return code === 0 && stdout;
      },
      { timeoutMs: 60_000, what: "an answer after space was freed" },
    );
    expect(answer).toContain("CLAWDINATOR-1");
    expect(await fleet.json("approvals", "show", proposal.id)).toMatchObject({
      state: "pending",
      digest: proposal.digest,
    });
    expect(await fleet.json("memory", "read", "kept.md")).toMatchObject({
      text: expect.stringContaining("this stays"),
    });
    await fleet.kill();
    await fleet.start();
    expect(await fleet.json("approvals", "show", proposal.id)).toMatchObject({
      state: "pending",
      digest: proposal.digest,
    });
  },
  180_000,
);

test("a corrupt line in a conversation is told with file and line; the file stays as it is and other conversations go on", async () => {
  const fleet = shared();
  for (const text of ["status", "version", "status"])
    expect((await fleet.cli(["ask", "--conversation", "broken", text])).code).toBe(0);
  const folder = join(fleet.home, "fleet", "conversations", "broken");
  const path = join(folder, readdirSync(folder).find((name) => name.endsWith(".jsonl")) ?? "");
  const lines = readFileSync(path, "utf8").split("\n");
  lines[2] = '{"formatVersion":1,"id":"garb\u0000age';
  writeFileSync(path, lines.join("\n"));
  const damaged = readFileSync(path);

  const { code, lines: said, stdout } = await fleet.cli(["ask", "--conversation", "broken", "status", "--json"]);
  expect(code).toBe(1);
  expect(stdout).toContain("conversation_corrupt");
  const error = said.find((line) => "error" in line)?.error;
  expect(error).toMatchObject({
    code: "conversation_corrupt",
    message: expect.stringContaining(`${path} is corrupt in line 3`),
    hint: expect.stringMatching(/./),
  });
  expect(readFileSync(path)).toEqual(damaged);
  expect((await fleet.cli(["ask", "--conversation", "sound", "status"])).stdout).toContain("CLAWDINATOR-1");
  const shown = await fleet.fetch("/api/conversations/broken");
  expect(await shown.json()).toMatchObject({
    error: { code: "conversation_corrupt", message: expect.stringContaining("line 3") },
  });
  expect((await fleet.fetch("/api/conversations")).status).toBe(200);
});

test("a journal that cannot be read is named, and everything else goes on", async () => {
  const fleet = shared();
  const store = await fleet.store();
  await store.put("operations/op-aaaaaaaaaaaa", { formatVersion: 9, state: "running" });
  await store.put("operations/op-bbbbbbbbbbbb", { formatVersion: 1, state: "running", steps: [], plan: null });
  await store.put("operations/op-cccccccccccc", "nonsense");
  for (const id of ["op-aaaaaaaaaaaa", "op-bbbbbbbbbbbb", "op-cccccccccccc"]) {
    expect(failureOf(await fleet.cli(["operations", "show", id, "--json"]))).toMatchObject({
      exit: 1,
      code: "journal_unreadable",
      message: expect.stringContaining(id),
    });
  }
  const database = new DatabaseSync(join(fleet.home, "fleet", "store.sqlite"));
  database.exec("INSERT INTO entries VALUES ('operations/op-dddddddddddd', '{torn', 1)");
  database.close();
  expect(failureOf(await fleet.cli(["operations", "show", "op-dddddddddddd", "--json"]))).toMatchObject({
    exit: 1,
    code: "store_corrupt",
    message: expect.stringContaining("op-dddddddddddd"),
  });
  expect(await fleet.json("operations", "list")).toEqual({ operations: [] });
  const built = await fleet.cli(["image", "build", "--json"]);
  expect(built.code, built.stdout).toBe(0);
  expect(await fleet.json("operations", "list")).toMatchObject({
    operations: [{ operation: "image_build", state: "succeeded" }],
  });
  expect((await fleet.cli(["ask", "status"])).code).toBe(0);
  expect((await store.get("operations/op-aaaaaaaaaaaa"))?.value).toEqual({ formatVersion: 9, state: "running" });
}, 120_000);

test("without git the start says so", async () => {
  const fleet = makeFleet();
  const empty = join(fleet.home, "..", "bin");
  mkdirSync(empty);
  symlinkSync(process.execPath, join(empty, "node"));
  expect(await up(fleet, [], { PATH: empty })).toMatchObject({
    exit: 1,
    code: "git_missing",
    hint: expect.stringContaining("install git"),
  });
  expect(processesBelow(fleet.home)).toEqual([]);
  await fleet.start();
});

test("a state directory of a newer version is refused and left as it is", async () => {
  const fleet = makeFleet();
  mkdirSync(join(fleet.home, "fleet"));
  const path = join(fleet.home, "fleet", "store.sqlite");
  const database = new DatabaseSync(path);
  database.exec(
    "CREATE TABLE entries (key TEXT, value TEXT, version INTEGER, colour TEXT); INSERT INTO entries VALUES ('a', 'b', 1, 'red'); PRAGMA user_version = 7",
  );
  database.close();
  const before = readFileSync(path);
  expect(await up(fleet)).toMatchObject({
    exit: 1,
    code: "newer_format",
    message: expect.stringContaining("format 7"),
    hint: expect.stringContaining("CLAWDINATOR_HOME"),
  });
  expect(readFileSync(path).equals(before)).toBe(true);
  expect(existsSync(join(fleet.home, "fleet", "repo.git"))).toBe(false);
  expect(existsSync(join(fleet.home, "credentials.json"))).toBe(false);
  expect(processesBelow(fleet.home)).toEqual([]);
});

test("without a gateway commands say where they looked and how to start one", async () => {
  const fleet = makeFleet();
  for (const parameters of [
    ["ask", "status"],
    ["fleet", "status"],
    ["approvals", "list"],
    ["maintainers", "login"],
    ["pause"],
  ]) {
    expect(failureOf(await fleet.cli([...parameters, "--json"]))).toMatchObject({
      exit: 1,
      code: "no_gateway",
      message: expect.stringContaining(fleet.home),
      hint: expect.stringContaining("npm start"),
    });
  }
  const plain = await fleet.cli(["ask", "status"]);
  expect(plain).toMatchObject({ code: 1, stdout: "" });
  expect(plain.stderr).toContain("no gateway runs");
});

test("wrong usage is told with exit code 2", async () => {
  const fleet = shared();
  const wrong: [string[], string][] = [
    [["asc", "status"], "asc"],
    [["fleet", "stauts"], "stauts"],
    [["fleet", "status", "--jsn"], "--jsn"],
    [["approvals", "approve"], "id"],
    [["approvals", "approve", "ap-1", "ap-2"], "too many"],
    [["memory", "edit", "ops.md", "--before", "x"], "--after"],
    [["audit", "--limit", "-3"], "-3"],
    [["up", "--port", "70000"], "70000"],
    [["ask", "  "], "nothing to ask"],
    [["operations", "propose", "image_build", "--input", "{"], "--input"],
  ];
  for (const [parameters, part] of wrong) {
    const failure = failureOf(await fleet.cli([...parameters, "--json"]));
    expect({ parameters, exit: failure.exit, code: failure.code }).toEqual({ parameters, exit: 2, code: "usage" });
    expect(failure.message).toContain(part);
  }
  const plain = await fleet.cli(["fleet", "stauts"]);
  expect(plain).toMatchObject({ code: 2, stdout: "" });
  expect(plain.stderr).toMatch(/unknown command 'stauts'[\s\S]*status/);
});

test("what does not exist is told by its name, with how to find what does", async () => {
  const fleet = shared();
  const missing: [string[], string, string][] = [
    [["approvals", "approve", "ap-0123456789ab"], "unknown_approval", "ap-0123456789ab"],
    [["approvals", "approve", "no such/../id?"], "unknown_approval", "no such/../id?"],
    [["approvals", "reject", "ap-0123456789ab"], "unknown_approval", "ap-0123456789ab"],
    [["operations", "show", "op-0123456789ab"], "unknown_operation", "op-0123456789ab"],
    [["operations", "cancel", "op-0123456789ab"], "unknown_operation", "op-0123456789ab"],
    [["operations", "resume", "op-0123456789ab"], "unknown_operation", "op-0123456789ab"],
    [["operations", "propose", "launch_rockets"], "unknown_operation", "launch_rockets"],
    [["memory", "read", "nothing.md"], "unknown_document", "nothing.md"],
    [["ask", "--to", "CLAWDINATOR-77", "status"], "unknown_instance", "CLAWDINATOR-77"],
    [["fleet", "status", "--as", "77"], "unknown_maintainer", "77"],
    [["maintainers", "remove", "77"], "unknown_maintainer", "77"],
    [["image", "build", "no-such-branch"], "revision_unknown", "no-such-branch"],
  ];
  for (const [parameters, code, part] of missing) {
    const failure = failureOf(await fleet.cli([...parameters, "--json"]));
    expect({ parameters, exit: failure.exit, code: failure.code }).toEqual({ parameters, exit: 1, code });
    expect(failure.message).toContain(part);
  }
  expect(existsSync(join(fleet.home, "fleet", "memory", "nothing.md"))).toBe(false);
});

test("a second start says that the instance runs, and by which process", async () => {
  const fleet = shared();
  const gateway = processesBelow(fleet.home).find(({ role }) => role === "gateway");
  expect(await up(fleet)).toMatchObject({
    exit: 1,
    code: "already_running",
    message: expect.stringContaining(`process ${gateway?.pid}`),
  });
  const { instances } = await fleet.json<FleetStatus>("fleet", "status");
  expect(instances).toMatchObject([{ name: "CLAWDINATOR-1", state: "ready" }]);
});
