/**
 * A real nix for tests that evaluate and build: one in PATH, the one that lies beside the project, or Debian's packages,
 * unpacked into a cache. Its store, state and settings are a directory of the test; nothing global is touched.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
const getNix = join(import.meta.dirname, "..", "..", "..", "shared", "nix", "get-nix.sh");
const beside = join(
  process.env.NIX_ROOTFS ?? join(process.env.NIX_EVAL_CACHE ?? join(cache, "nix-eval"), "rootfs"),
  "bin",
);
const unpacked = join(cache, "clawdinator-test-nix");

let found: string | null | undefined;

/** The directory with the program; null where none can be had, which `whyNoNixBuild` puts into words. */
function nixDirectory(): string | null {
  found ??= [inPath, besideTheProject, fromDebian].reduce<string | null>((known, look) => known ?? look(), null);
  return found;
}

/** Null when nix can be used; else what to say in a test's title. Installs it first, where that is possible. */
export function whyNoNixBuild(): string | null {
  return nixDirectory() === null ? "no nix can be had on this machine: it was not tried" : null;
}

function works(directory: string): string | null {
  const { status } = spawnSync(join(directory, "nix"), ["--version"], { env: { PATH: process.env.PATH } });
  return status === 0 ? directory : null;
}

function inPath(): string | null {
  const directories = (process.env.PATH ?? "").split(":").filter((directory) => existsSync(join(directory, "nix")));
  return directories[0] === undefined ? null : works(directories[0]);
}

function besideTheProject(): string | null {
  if (!existsSync(getNix)) return null;
  return spawnSync(getNix, { stdio: "ignore" }).status === 0 ? works(beside) : null;
}

/** `apt-get download` needs no root and installs nothing; only libraries that the machine lacks are fetched. */
function fromDebian(): string | null {
  const ready = join(unpacked, "bin");
  if (existsSync(ready)) return works(ready);
  const without = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map(
    (kind) => `--no-${kind}`,
  );
  const listed = spawnSync("/usr/bin/apt-cache", ["depends", "--recurse", ...without, "nix-bin"], { encoding: "utf8" });
  if (listed.status !== 0) return null;
  const names = [...new Set(listed.stdout.split("\n").filter((line) => /^[a-z0-9]/.test(line)))];
  const missing = names.filter((name) => {
    const { stdout } = spawnSync("/usr/bin/dpkg-query", ["--status", name], { encoding: "utf8" });
    return !stdout.includes("ok installed");
  });
  const staging = `${unpacked}.${process.pid}`;
  mkdirSync(join(staging, "bin"), { recursive: true });
  try {
    if (spawnSync("/usr/bin/apt-get", ["download", ...missing], { cwd: staging, stdio: "ignore" }).status !== 0)
      return null;
    for (const file of readdirSync(staging).filter((name) => name.endsWith(".deb"))) {
      if (spawnSync("/usr/bin/dpkg", ["-x", file, "root"], { cwd: staging, stdio: "ignore" }).status !== 0) return null;
      rmSync(join(staging, file));
    }
    const root = join(unpacked, "root", "usr");
    const machine = spawnSync("/usr/bin/dpkg-architecture", ["-qDEB_HOST_MULTIARCH"], {
      encoding: "utf8",
    }).stdout?.trim();
    const libraries = [join(root, "lib", "nix"), join(root, "lib", machine || "x86_64-linux-gnu")].join(":");
    const wrapper = `#!/bin/sh\nLD_LIBRARY_PATH=${libraries} exec ${join(root, "bin", "nix")} "$@"\n`;
    writeFileSync(join(staging, "bin", "nix"), wrapper);
    chmodSync(join(staging, "bin", "nix"), 0o755);
    if (!existsSync(unpacked)) renameSync(staging, unpacked);
    return works(ready);
  } catch {
    return null;
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/** Variables for a nix whose store, state and settings lie in `directory`. */
export function nixEnvironment(directory: string): NodeJS.ProcessEnv {
  const program = nixDirectory();
  if (program === null) throw new Error("there is no nix: ask whyNoNixBuild first");
  const configuration = join(directory, "nix-conf");
  mkdirSync(join(directory, "home"), { recursive: true });
  mkdirSync(configuration, { recursive: true });
  writeFileSync(
    join(configuration, "nix.conf"),
    ["sandbox = false", "build-users-group =", "substituters =", "max-jobs = 1", ""].join("\n"),
  );
  return {
    PATH: `${program}:${process.env.PATH}`,
    HOME: join(directory, "home"),
    TMPDIR: dirname(directory),
    NIX_STORE_DIR: join(directory, "store"),
    NIX_STATE_DIR: join(directory, "nix-state"),
    NIX_LOG_DIR: join(directory, "nix-log"),
    NIX_CONF_DIR: configuration,
  };
}

/**
 * A flake without inputs whose image is a raw disk of 3 MiB: a hole, then `content`. `attributes` are further attributes
 * of the derivation, `script` runs after the disk was written. Built at once, without asking for a remote builder.
 */
export function imageFlake(options: { attributes?: string; script?: string; system?: string } = {}): string {
  const system = options.system ?? "x86_64-linux";
  return `{
  outputs = { self }: let
    makeImage = settings: derivation {
      name = "image";
      system = "x86_64-linux";
      builder = "/bin/sh";
      preferLocalBuild = true;
      PATH = "/usr/bin:/bin";
      content = ./content.txt;
      args = [ "-c" ''
        set -eu
        mkdir $out
        echo writing the disk
        truncate -s 3M $out/disk.raw
        dd if=$content of=$out/disk.raw conv=notrunc bs=512k seek=2 status=none
        ${options.script ?? ""}
      '' ];
      inherit settings;
      ${options.attributes ?? ""}
    };
  in {
    packages.${system}.image = makeImage "";
    lib.mkFleet = { fleet }: {
      packages.${system}.image = makeImage (builtins.readFile (fleet + "/nix/settings.json"));
    };
  };
}
`;
}
