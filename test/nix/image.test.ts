/** The machine image and the flakes, evaluated: what boots, who gets in, and what each flake offers. */
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../agent/config.ts";
import {
  checkFlake,
  copyFlake,
  evaluateFlake,
  evaluateModules,
  projectRoot,
  readProjectFile,
  whyNoNix,
} from "../support/nix.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const missing = whyNoNix();
const image = ["nix/image/default.nix"];

test("the boot mode is said in one file, and is one that EC2 knows and the image can boot by", () => {
  expect(readProjectFile("nix/image/boot-mode")).toBe("uefi\n");
});

test("the lock file pins every input of the flake by commit and hash", () => {
  const lock = JSON.parse(readProjectFile("flake.lock")) as {
    nodes: Record<string, { locked?: Record<string, string>; inputs?: object }>;
  };
  const { root, ...inputs } = lock.nodes;
  const declared = [...readProjectFile("flake.nix").matchAll(/inputs\.([a-z-]+)\.url/g)].map((match) => match[1]);
  expect(Object.keys(root?.inputs ?? {})).toEqual(declared);
  for (const { locked } of Object.values(inputs)) {
    expect(locked?.rev).toMatch(/^[0-9a-f]{40}$/);
    expect(locked?.narHash).toMatch(/^sha256-[A-Za-z0-9+/]{43}=$/);
  }
});

test("every package that the Nix build takes from the lock file has a version and a hash, so its address is known", () => {
  const lock = JSON.parse(readProjectFile("package-lock.json")) as {
    packages: Record<string, Record<string, unknown>>;
  };
  const used = Object.entries(lock.packages).filter(([path, one]) => path && !one.dev && !one.optional);
  expect(used.length).toBeGreaterThan(10);
  for (const [path, one] of used) {
    expect(one, path).toMatchObject({ version: expect.any(String), integrity: expect.stringMatching(/^sha512-/) });
    expect(one.link, path).toBeUndefined();
  }
});

test("the fleet template says what a local fleet is, in the program's own words", () => {
  const settings = readProjectFile("nix/templates/fleet/nix/settings.json");
  expect(parseConfig(JSON.parse(settings), "settings.json").provider).toBe("local");
});

describe.skipIf(missing)(missing ? `the image, evaluated by nix: ${missing}` : "the image, evaluated by nix", () => {
  test("nobody gets in by SSH, no port is open, and Session Manager is there", async () => {
    const { config, failedAssertions } = await evaluateModules(image, {});
    expect(failedAssertions).toEqual([]);
    expect(config.services.openssh?.enable).toBe(false);
    expect(config.networking.firewall).toMatchObject({ enable: true, allowedTCPPorts: [] });
    expect(config.services["amazon-ssm-agent"]?.enable).toBe(true);
    const people = Object.entries(config.users.users).filter(([, user]) => user.isNormalUser || user.hashedPassword);
    expect(people).toEqual([]);
  });

  test("boots by UEFI from EBS, and says what it does on the serial console", async () => {
    const { config } = await evaluateModules(image, {});
    const { boot } = config;
    expect(boot.kernelParams.filter((one) => one.startsWith("console=")).at(-1)).toBe("console=ttyS0,115200n8");
    expect(boot.initrd.availableKernelModules).toEqual(expect.arrayContaining(["nvme", "ena"]));
    expect(boot.loader.grub.enable).toBe(false);
    expect(boot.loader["systemd-boot"].enable).toBe(true);
    expect(config.nix.settings["experimental-features"]).toEqual(["nix-command", "flakes"]);
  });

  test("one partition table: an EFI partition and a root found by label, which grows at boot", async () => {
    const { config } = await evaluateModules(image, {});
    const partitions = Object.values(config.image.repart.partitions).map((one) => one.repartConfig);
    expect(partitions).toMatchObject([
      { Type: "esp", Format: "vfat" },
      { Type: "root", Format: "ext4", Label: "nixos", Minimize: "guess" },
    ]);
    expect(config.fileSystems["/"]).toMatchObject({ device: "/dev/disk/by-partlabel/nixos", autoResize: true });
    expect(config.fileSystems["/boot"]?.device).toBe(`/dev/disk/by-partlabel/${String(partitions[0]?.Label)}`);
    expect(config.systemd.repart.partitions["20-root"]).toEqual({ Type: "root" });
  });

  test("there is no bot in the generic layer", async () => {
    const { config } = await evaluateModules(image, {});
    expect(Object.keys(config.systemd.services)).toEqual(["register-store-paths"]);
    expect(config.systemd.services["register-store-paths"]?.unitConfig.ConditionPathExists).toBe(
      "/nix-path-registration",
    );
  });

  test("every output of the flake evaluates, on both architectures", async () => {
    await checkFlake(projectRoot);
    for (const [system, architecture] of [
      ["x86_64-linux", "x86_64"],
      ["aarch64-linux", "arm64"],
    ]) {
      expect(await evaluateFlake(projectRoot, `packages.${system}.image.facts`)).toEqual({
        bootMode: "uefi",
        architecture,
      });
    }
  });

  describe("a fleet repository made from the template", () => {
    /** The template with this program as its input; its nixpkgs is replaced as the program's own is. */
    function fleetRepository(settings?: object): string {
      const directory = temporaryDirectory();
      const program = join(directory, "program");
      const fleet = join(directory, "fleet");
      copyFlake(program);
      cpSync(join(projectRoot, "nix/templates/fleet"), fleet, { recursive: true });
      const flake = join(fleet, "flake.nix");
      writeFileSync(flake, readFileSync(flake, "utf8").replace("github:openclaw/clawdinator", `path:${program}`));
      if (settings) writeFileSync(join(fleet, "nix/settings.json"), JSON.stringify(settings));
      return fleet;
    }
    const aws = {
      provider: "aws",
      aws: { bucket: "clawdinator-test" },
      fleet: { repository: "https://git.example/fleet.git" },
      program: { repository: "https://git.example/program.git" },
    };

    test("gives the image of its settings, and the configuration that a running machine is switched to", async () => {
      const evaluate = (attribute: string): Promise<unknown> =>
        evaluateFlake(fleetRepository(aws), `packages.x86_64-linux.${attribute}`, "clawdinator/nixpkgs");
      expect(await evaluate("image.bootMode")).toBe("uefi");
      expect(await evaluate("clawdinator.name")).toMatch(/^clawdinator-/);
      const config = "nixosConfigurations.clawdinator.config.services.clawdinator.config";
      expect(await evaluateFlake(fleetRepository(aws), config, "clawdinator/nixpkgs")).toMatchObject(aws);
    });

    test("refuses an image without an AWS account, and says how to come by the settings", async () => {
      const image = evaluateFlake(fleetRepository(), "packages.x86_64-linux.image.name", "clawdinator/nixpkgs");
      await expect(image).rejects.toThrow(/nix\/settings\.json says nothing of AWS.*npm run bootstrap/s);
    });
  });
});
