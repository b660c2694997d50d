/** `clawdinator-switch` as it runs on a machine; what it calls (nix, systemctl) only writes down that it was called. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../support/temporary.ts";

const script = join(import.meta.dirname, "..", "..", "nix", "module", "switch.sh");
const [before, after] = ["a".repeat(40), "b".repeat(40)];

function machine(options: { build?: number; activation?: number } = {}) {
  const directory = temporaryDirectory();
  const [programs, system, calls] = [join(directory, "bin"), join(directory, "system"), join(directory, "calls")];
  const [old, profile] = [join(directory, "old-system"), join(directory, "profile")];
  const instance = join(directory, "state", "instances", "i-0123456789ab");
  const spec = join(instance, "instance.json");
  for (const path of [programs, join(system, "bin"), join(old, "bin"), instance]) mkdirSync(path, { recursive: true });
  const program = (path: string, body: string): void => {
    writeFileSync(path, `#!/bin/sh\n${body}\n`);
    chmodSync(path, 0o755);
  };
  const note = (name: string): string => `printf '%s\\n' "${name} $*" >> ${calls}`;
  program(join(programs, "nix"), `${note("nix")}; echo ${system}; exit ${options.build ?? 0}`);
  program(join(programs, "nix-env"), note("nix-env"));
  program(join(programs, "systemctl"), note("systemctl"));
  program(join(system, "bin", "switch-to-configuration"), `${note("activate")}; exit ${options.activation ?? 0}`);
  program(join(old, "bin", "switch-to-configuration"), note("activate the old one:"));
  symlinkSync(old, profile);
  writeFileSync(spec, JSON.stringify({ formatVersion: 1, instance: "i-0123456789ab", revision: before, port: null }));
  chmodSync(spec, 0o600);
  const identity = join(directory, "identity");
  writeFileSync(identity, "CLAWDINATOR_INSTANCE=i-0123456789ab\n");
  return {
    run: (revision: string) =>
      spawnSync("bash", ["-o", "errexit", "-o", "nounset", "-o", "pipefail", script, revision], {
        encoding: "utf8",
        env: {
          PATH: `${programs}:${process.env.PATH}`,
          FLEET: "git+https://git.example/fleet.git",
          PROGRAM: "git+https://git.example/program.git",
          STATE: join(directory, "state"),
          PROFILE: profile,
          IDENTITY: identity,
          LOCK: join(directory, "lock"),
        },
      }),
    calls: (): string[] => (existsSync(calls) ? readFileSync(calls, "utf8").trim().split("\n") : []),
    revision: (): string => (JSON.parse(readFileSync(spec, "utf8")) as { revision: string }).revision,
    files: (): string[] => readdirSync(instance),
    system,
    profile,
  };
}

test("builds the fleet's machine with the program at that commit, then activates it and says so", () => {
  const host = machine();
  expect(host.run(after).status).toBe(0);
  expect(host.revision()).toBe(after);
  expect(host.files()).toEqual(["instance.json"]);
  expect(host.calls()).toEqual([
    `nix build --no-link --print-out-paths --no-write-lock-file --override-input clawdinator git+https://git.example/program.git?rev=${after} git+https://git.example/fleet.git?ref=main#nixosConfigurations.clawdinator.config.system.build.toplevel`,
    `nix-env --profile ${host.profile} --set ${host.system}`,
    "activate switch",
    "systemctl restart clawdinator.service",
  ]);
});

test("touches nothing when the build fails", () => {
  const host = machine({ build: 1 });
  expect(host.run(after).status).not.toBe(0);
  expect(host.revision()).toBe(before);
  expect(host.calls()).toHaveLength(1);
});

test("goes back when the activation fails, and fails itself", () => {
  const host = machine({ activation: 4 });
  const { status, stderr } = host.run(after);
  expect(status).toBe(1);
  expect(stderr).toContain(`going back to ${before}`);
  expect(host.revision()).toBe(before);
  expect(host.calls().slice(-2)).toEqual(["activate the old one: switch", "systemctl restart clawdinator.service"]);
});

test.each(["main", "b".repeat(39), "--help", `${after}\n`])(
  "takes nothing but a full commit id: refuses %j",
  (given) => {
    const host = machine();
    expect(host.run(given).status).toBe(1);
    expect(host.calls()).toEqual([]);
  },
);
