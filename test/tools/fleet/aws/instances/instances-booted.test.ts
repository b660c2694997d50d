import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { processesWithArguments } from "../../../../../tools/fleet/local/process.ts";
import { whyNotRepaired } from "../../../../support/aws.ts";
import { type AwsAccount, makeAccount, shareEmulator } from "../../../../support/aws-instances.ts";
import { commitFiles, makeRepository } from "../../../../support/git.ts";
import { type MachineRoom, startMachineRoom } from "../../../../support/machines.ts";
import { temporaryDirectory } from "../../../../support/temporary.ts";
import { waitFor } from "../../../../support/wait.ts";

const emulator = shareEmulator();
const signal = new AbortController().signal;
const one = "clawd-0123456789ab";

/** Stands for the program: a gateway that starts a mind, and both stay. */
const program = (version: string): Record<string, string> => ({
  "agent/main.ts": `
    import { spawn } from "node:child_process";
    import { readFileSync } from "node:fs";
    const [, , role, , home, , instance] = process.argv;
    if (role === "up") {
      spawn(process.execPath, [process.argv[1], "mind", "--home", home, "--instance", instance], { detached: true });
      const spec = readFileSync(home + "/instances/" + instance + "/instance.json", "utf8");
      console.log("${version}", JSON.stringify(JSON.parse(spec)), readFileSync(home + "/config.json", "utf8"));
    }
    setInterval(() => {}, 1000);
  `,
  "nix/templates/fleet/nix/instances.json": '{ "formatVersion": 1, "instances": {} }\n',
});

async function openRoom(): Promise<{ account: AwsAccount; room: MachineRoom; revisions: [string, string] }> {
  const account = await makeAccount(emulator());
  const repository = join(temporaryDirectory(), "program");
  const first = makeRepository(repository, program("first"));
  const second = commitFiles(repository, program("second"));
  const { stack } = account;
  const room = await startMachineRoom({
    emulator: emulator(),
    stack,
    program: repository,
    config: { fleet: { leaseSeconds: 5 } },
    atEnd: onTestFinished,
  });
  return { account, room, revisions: [first, second] };
}

describe.skipIf(whyNotRepaired())("a machine", () => {
  test("boots as the instance that its user data names, from the program at its revision", async () => {
    const { account, room, revisions } = await openRoom();
    const [first, second] = revisions;
    await account.instances.launch(account.spec(one, { revision: first, port: 20_000 }));
    await account.instances.launch(account.spec("clawd-other", { revision: second, name: "CLAWDINATOR-3" }));
    await room.booted(one);
    await room.booted("clawd-other");
    const said = await waitFor(() => room.machine(one).output().includes("\n") && room.machine(one).output());
    expect(said).toMatch(/^first /);
    expect(said).toContain(`"instance":"${one}"`);
    expect(said).toContain('"port":20000');
    expect(said).toContain(`"bucket":"${account.stack.bucket}"`);
    expect(said).toContain('"leaseSeconds":5');
    await waitFor(() => room.machine("clawd-other").output().startsWith("second "));
  });

  test("loses both processes when it is stopped, keeps its disk, and starts again", async () => {
    const { account, room, revisions } = await openRoom();
    await account.instances.launch(account.spec(one, { revision: revisions[0] }));
    const { home } = await room.booted(one);
    const running = (): Promise<number[]> => processesWithArguments(["--home", home]);
    await waitFor(async () => (await running()).length === 2);
    await account.instances.stop(one, { graceMs: 0, signal });
    await waitFor(async () => (await running()).length === 0 && room.machine(one).state === "stopped");
    expect(readFileSync(join(home, "config.json"), "utf8")).toContain("aws");
    await account.instances.launch(account.spec(one, { placement: null }));
    await waitFor(async () => (await running()).length === 2);
    expect(room.machine(one).starts).toBe(2);
    await account.instances.remove(one, { signal });
    await waitFor(async () => (await running()).length === 0 && !existsSync(home));
    expect(room.machine(one).state).toBe("ended");
  });

  test("starts a gateway again that was killed", async () => {
    const { account, room, revisions } = await openRoom();
    await account.instances.launch(account.spec(one, { revision: revisions[0] }));
    await room.booted(one);
    await room.killGateway(one);
    await waitFor(() => room.machine(one).starts === 2 && room.machine(one).pid !== null);
  });

  test("that is not the fleet's, or whose revision nobody has, boots nothing", async () => {
    const { account, room, revisions } = await openRoom();
    const other = await makeAccount(emulator());
    await other.instances.launch(other.spec(one, { revision: revisions[0] }));
    await account.instances.launch(account.spec("clawd-unknown"));
    await waitFor(() => room.machines().some(({ instance }) => instance === "clawd-unknown"));
    await waitFor(() => room.machine("clawd-unknown").output().includes("no boot"));
    expect(room.machines().map(({ instance }) => instance)).toEqual(["clawd-unknown"]);
    expect(room.machine("clawd-unknown").pid).toBeNull();
  });
});
