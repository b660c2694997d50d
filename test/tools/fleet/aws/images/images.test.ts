import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { registration } from "../../../../../tools/fleet/aws/images/ami.ts";
import {
  describeNeeds,
  imageBuildNeeds,
  type Machine,
  memoryOf,
  missingForBuild,
  readMachine,
} from "../../../../../tools/fleet/aws/images/build-needs.ts";
import { imageOfDerivation } from "../../../../../tools/fleet/aws/images/derivations.ts";
import { openImageRecords } from "../../../../../tools/fleet/aws/images/image-records.ts";
import { gitFlake } from "../../../../../tools/fleet/aws/images/nix.ts";
import { temporaryDirectory } from "../../../../support/temporary.ts";

const GiB = 1024 ** 3;
const roomy: Machine = {
  memoryBytes: 8 * GiB,
  store: { path: "/nix/store", freeBytes: 100 * GiB, device: 1 },
  buildDirectory: { path: "/tmp", freeBytes: 100 * GiB, device: 1 },
  hasKvm: false,
};

test("a machine with room builds; an ordinary EC2 instance needs no virtual machine for it", () => {
  expect(missingForBuild(roomy, imageBuildNeeds, [])).toEqual([]);
  expect(missingForBuild(roomy, imageBuildNeeds, ["big-parallel"])).toEqual([]);
  expect(missingForBuild(roomy, imageBuildNeeds, ["kvm"]).join()).toContain("/dev/kvm");
  expect(missingForBuild({ ...roomy, hasKvm: true }, imageBuildNeeds, ["kvm"])).toEqual([]);
});

test("a t3.small lacks memory, and says how much", () => {
  const small = { ...roomy, memoryBytes: 1.6 * GiB };
  expect(missingForBuild(small, imageBuildNeeds, [])).toEqual(["2.5 GiB of memory (1.6 GiB free, swap included)"]);
});

test("store and build directory share one disk, or have each their own", () => {
  const tight = { ...roomy.store, freeBytes: 12 * GiB };
  const one = { ...roomy, store: tight, buildDirectory: { ...tight, path: "/tmp" } };
  expect(missingForBuild(one, imageBuildNeeds, [])).toEqual(["15 GiB of disk at /nix/store (12 GiB free)"]);
  const two = { ...one, buildDirectory: { path: "/tmp", freeBytes: GiB, device: 2 } };
  expect(missingForBuild(two, imageBuildNeeds, [])).toEqual(["5 GiB of disk at /tmp (1 GiB free)"]);
});

test("what a build needs is told the same on every machine", () => {
  expect(describeNeeds(imageBuildNeeds, [])).toBe(
    "a build needs nix, 2.5 GiB of free memory, 10 GiB of disk for the store and 5 GiB for the build; no virtual machine",
  );
});

test("free memory counts swap, and is unknown from a text without it", () => {
  expect(memoryOf("MemTotal: 9 kB\nMemAvailable:    2048 kB\nSwapFree:  1024 kB\n")).toBe(3 * 1024 ** 2);
  expect(memoryOf("MemAvailable:    2048 kB\n")).toBe(2 * 1024 ** 2);
  expect(memoryOf("")).toBeNull();
});

test("a store that does not exist yet is measured where it would be made", async () => {
  const directory = temporaryDirectory();
  const machine = await readMachine({ storeDirectory: join(directory, "a", "b"), environment: { TMPDIR: directory } });
  expect(machine.store.device).toBe(machine.buildDirectory.device);
  expect(machine.store.freeBytes).toBeGreaterThan(0);
  expect(machine.memoryBytes).toBeGreaterThan(0);
});

test("an image's id comes from its derivation alone", () => {
  const { id, digest } = imageOfDerivation("/nix/store/00000000000000000000000000000000-image.drv");
  expect(id).toBe(`img-${digest.slice(0, 12)}`);
  expect(digest).toMatch(/^[0-9a-f]{64}$/);
});

test("an AMI takes instances with IMDSv2 only, and its root volume is gp3 and goes with the instance", () => {
  const request = { name: "n", description: "d", snapshot: "snap-1", architecture: "arm64", bootMode: "uefi" };
  expect(registration({ ...request, tags: { a: "b" } })).toMatchObject({
    ImdsSupport: "v2.0",
    EnaSupport: true,
    VirtualizationType: "hvm",
    Architecture: "arm64",
    BootMode: "uefi",
    BlockDeviceMappings: [{ Ebs: { SnapshotId: "snap-1", VolumeType: "gp3", DeleteOnTermination: true } }],
    TagSpecifications: [{ ResourceType: "image", Tags: [{ Key: "a", Value: "b" }] }],
  });
});

test("a commit's flake is addressed by its own reference where the mirror has one, and as shallow where it is", () => {
  const directory = join(temporaryDirectory(), "with space.git");
  const commit = "a".repeat(40);
  mkdirSync(join(directory, "refs", "revisions"), { recursive: true });
  const address = `git+file://${directory.replace(" ", "%20")}`;
  expect(gitFlake(directory, commit)).toBe(`${address}?allRefs=1&rev=${commit}`);
  writeFileSync(join(directory, "refs", "revisions", commit), commit);
  writeFileSync(join(directory, "shallow"), commit);
  expect(gitFlake(directory, commit)).toBe(`${address}?ref=refs/revisions/${commit}&rev=${commit}&shallow=1`);
});

test("a record whose disk is gone or cut short counts as not built; a newer one is refused", async () => {
  const directory = temporaryDirectory();
  const records = openImageRecords(directory);
  const path = join(directory, "disk.raw");
  const id = "img-0123456789ab";
  const derivation = "/nix/store/x.drv";
  writeFileSync(path, "123");
  const record = { formatVersion: 1 as const, id, revision: "r", digest: "d", derivation, recipe: "a" };
  const rest = { storePaths: ["/x"] as [string], path, bytes: 3, closure: "c", builtAt: 1, architecture: "x86_64" };
  await records.write({ ...record, ...rest, bootMode: "uefi" });
  expect(await records.read(id)).toMatchObject({ id, bytes: 3 });
  writeFileSync(path, "12");
  expect(await records.read(id)).toBeNull();
  expect(await records.list()).toEqual([]);
  writeFileSync(join(directory, `${id}.json`), JSON.stringify({ formatVersion: 2 }));
  await expect(records.read(id)).rejects.toMatchObject({ name: "ConfigError", code: "format_unknown" });
});
