import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AwsImagesOptions } from "../../../../../tools/fleet/aws/images/images.ts";
import { gitFlake, openNix, scrubLine } from "../../../../../tools/fleet/aws/images/nix.ts";
import { openProgram } from "../../../../../tools/fleet/program.ts";
import { sha256 } from "../../../../../tools/json.ts";
import { makeImageAccount, onRepairedEmulator, step } from "../../../../support/aws-images.ts";
import { shareEmulator } from "../../../../support/aws-instances.ts";
import { commitFiles, git, makeRepository } from "../../../../support/git.ts";
import { imageFlake, nixEnvironment, whyNoNixBuild } from "../../../../support/nix-build.ts";
import { temporaryDirectory } from "../../../../support/temporary.ts";
import { waitFor } from "../../../../support/wait.ts";

const small = { evaluationMemoryBytes: 1, buildMemoryBytes: 1, storeBytes: 1, buildDirectoryBytes: 1 };
const content = "what the disk holds\n";
const quiet = { progress: () => {}, signal: new AbortController().signal };
const whyNot = whyNoNixBuild();
// Hundreds of public images that nobody asks for make each look at snapshots slow.
shareEmulator();

/** A program in a real repository, its bare mirror, and a nix with a store of its own. */
function setUp(files: Record<string, string> = { "flake.nix": imageFlake(), "content.txt": content }) {
  const directory = temporaryDirectory();
  const source = join(directory, "source");
  const commit = makeRepository(source, files);
  const environment = nixEnvironment(join(directory, "nix"));
  const mirror = join(directory, "program.git");
  const program = openProgram({ directory: mirror, source, environment });
  const images: Partial<AwsImagesOptions> = {
    program: { resolve: (revision) => program.resolve(revision), flake: (at) => gitFlake(mirror, at) },
    environment,
    needs: small,
  };
  return { directory, source, commit, environment, mirror, program, images };
}

describe.skipIf(whyNot !== null)(whyNot === null ? "with a real nix" : `with a real nix: ${whyNot}`, withNix);

function withNix(): void {
  onRepairedEmulator("from commit to AMI and back", () => {
    test.each(["ebs-direct", "vm-import"] as const)(
      "a commit is derived, built, imported by %s, found again, listed and removed",
      async (via) => {
        const { commit, images: options, environment } = setUp();
        const account = await makeImageAccount({ images: options });
        const { images } = account;
        const { built: before, ...derived } = await images.deriveImage("main");
        expect(before).toBeNull();
        expect(derived.revision).toBe(commit);
        expect(derived.derivation).toMatch(/-image\.drv$/);
        expect(derived.digest).toBe(sha256(String(derived.derivation)));
        expect(derived.id).toBe(`img-${derived.digest.slice(0, 12)}`);
        expect((await images.checkBuild(derived)).needs).toHaveLength(1);

        const lines: string[] = [];
        const first = await images.buildImage("HEAD", { ...quiet, progress: (text) => lines.push(text) });
        expect(first).toMatchObject({
          reused: false,
          image: { id: derived.id, digest: derived.digest, revision: commit },
        });
        expect(first.image.path.startsWith(`${environment.NIX_STORE_DIR}/`)).toBe(true);
        expect(first.image.bytes).toBe(3 * 1024 ** 2);
        expect(first.image.closure).toMatch(/^sha256-/);
        expect(
          readFileSync(first.image.path)
            .subarray(1024 ** 2, 1024 ** 2 + content.length)
            .toString(),
        ).toBe(content);
        expect(lines.some((line) => line.startsWith("building img-"))).toBe(true);
        expect(await images.buildImage(commit, quiet)).toEqual({ reused: true, image: first.image });
        expect((await images.deriveImage(commit)).built).toEqual(first.image);
        expect(await images.listImages()).toEqual([first.image]);

        const imported = await images.importImage(derived, { ...step("token"), via });
        expect(imported).toMatchObject({ revision: commit, reused: false });
        expect(await images.importImage(derived, { ...step("another"), via })).toEqual({ ...imported, reused: true });
        const [listed, ...others] = await images.listImages();
        expect(others).toEqual([]);
        expect(listed).toMatchObject({ ...derived, ami: imported.image, snapshot: imported.snapshot });
        expect(listed).toMatchObject({
          path: first.image.path,
          bytes: first.image.bytes,
          closure: first.image.closure,
        });
        expect(await account.objects()).toEqual({ keys: [], unfinished: [] });

        await images.removeImage(derived.id);
        await images.removeImage(derived.id);
        expect(await images.listImages()).toEqual([]);
        expect(await account.amis()).toEqual([]);
        expect(await account.snapshots()).toEqual([]);
        expect(existsSync(first.image.path)).toBe(false);
        expect((await images.buildImage(commit, quiet)).reused).toBe(false);
      },
    );

    test("a revision is evaluated once, and not at all where its AMI exists", async () => {
      const { commit, images: options, environment } = setUp();
      const account = await makeImageAccount({ images: options });
      const derived = await account.images.deriveImage(commit);
      const withoutNix = { environment: { ...environment, PATH: "/nowhere" } };
      expect(await account.another(withoutNix).deriveImage(commit)).toEqual(derived);
      const elsewhere = () => account.another({ ...withoutNix, stateDirectory: temporaryDirectory() });
      await expect(elsewhere().deriveImage(commit)).rejects.toMatchObject({ code: "build_impossible_here" });
      await account.images.buildImage(commit, quiet);
      const { image } = await account.images.importImage(derived, { ...step("token"), via: null });
      const found = await elsewhere().deriveImage(commit);
      expect(found).toMatchObject({ ...derived, built: { ami: image, path: "" } });
      expect(await elsewhere().buildImage(commit, quiet)).toEqual({ reused: true, image: found.built });
      // An AMI of the same commit that was made of another attribute says nothing of this one.
      const other = account.another({
        ...withoutNix,
        settings: { ...account.settings, imageAttribute: "other.image" },
      });
      await expect(other.deriveImage(commit)).rejects.toMatchObject({ code: "build_impossible_here" });
    });

    test("what boots by BIOS is registered so", async () => {
      const attributes = `bootMode = "legacy-bios";`;
      const { commit, images: options } = setUp({ "flake.nix": imageFlake({ attributes }), "content.txt": content });
      const account = await makeImageAccount({ images: options });
      const derived = await account.images.deriveImage(commit);
      await account.images.buildImage(commit, quiet);
      await account.images.importImage(derived, { ...step("token"), via: null });
      expect(await account.amis()).toMatchObject([{ BootMode: "legacy-bios", Architecture: "x86_64" }]);
    });
  });

  test("the collector cannot take an output that was built, until it is removed", async () => {
    const { commit, images: options, environment } = setUp();
    const { images } = await makeImageAccount({ images: options });
    const { image } = await images.buildImage(commit, quiet);
    const nix = openNix({ environment, home: "/nonexistent" });
    await nix.run(["store", "gc"]);
    expect(existsSync(image.path)).toBe(true);
    await images.removeImage(image.id);
    await nix.run(["store", "gc"]);
    expect(existsSync(image.path)).toBe(false);
    expect((await images.deriveImage(commit)).built).toBeNull();
  });

  test("image.json says what closure it is, and the disk may be a link into the store", async () => {
    const script = `mv $out/disk.raw $TMPDIR/disk
      mkdir $out/inner; mv $TMPDIR/disk $out/inner/image; ln -s $out/inner/image $out/image.raw
      echo '{"formatVersion":1,"closure":"/nix/store/abc-nixos-system"}' > $out/image.json`;
    const { commit, images: options } = setUp({ "flake.nix": imageFlake({ script }), "content.txt": content });
    const { images } = await makeImageAccount({ images: options });
    const { image } = await images.buildImage(commit, quiet);
    expect(image.closure).toBe("/nix/store/abc-nixos-system");
    expect(image.path).toMatch(/inner\/image$/);
  });

  test.each([
    ["no disk", "rm $out/disk.raw", /holds no raw disk image/],
    ["two disks", "cp $out/disk.raw $out/more.img", /holds 2 disk images/],
    ["a compressed one", "mv $out/disk.raw $out/disk.raw.zst", /disk\.raw\.zst/],
    ["a link out of the store", "rm $out/disk.raw; ln -s /etc/hostname $out/disk.raw", /leads out of the store/],
  ])("refuses an output with %s", async (_, script, message) => {
    const { commit, images: options } = setUp({ "flake.nix": imageFlake({ script }), "content.txt": content });
    const { images } = await makeImageAccount({ images: options });
    const building = images.buildImage(commit, quiet);
    await expect(building).rejects.toMatchObject({ code: "image_unusable", message: expect.stringMatching(message) });
    expect(await images.listImages()).toEqual([]);
  });

  test("a failed build gives the log's last lines, without colours and passwords", async () => {
    const script = `printf '\\033[31mcannot reach https://me:secret@example.org/x\\033[0m\\n' >&2; exit 3`;
    const flake = imageFlake({ script: script.replaceAll("''", "'") });
    const { commit, images: options } = setUp({ "flake.nix": flake, "content.txt": content });
    const { images } = await makeImageAccount({ images: options });
    const failure = await images.buildImage(commit, quiet).catch((error: unknown) => error as Error);
    expect(failure).toMatchObject({ name: "ProviderError", code: "nix_failed" });
    expect((failure as Error).message).toContain("cannot reach https://***@example.org/x");
    for (const bad of ["secret", "\u001B"]) expect((failure as Error).message).not.toContain(bad);
  });

  test("a build that is aborted ends with everything it started", async () => {
    const directory = temporaryDirectory();
    const marker = join(directory, "builder");
    const script = `echo $$ > ${marker}; while :; do sleep 0.1; done`;
    const { commit, images: options } = setUp({ "flake.nix": imageFlake({ script }), "content.txt": content });
    const { images } = await makeImageAccount({ images: options });
    const controller = new AbortController();
    const building = images.buildImage(commit, { progress: () => {}, signal: controller.signal });
    const ended = building.catch((error: unknown) => error);
    const pid = await waitFor(() => existsSync(marker) && Number(readFileSync(marker, "utf8")));
    controller.abort();
    expect(await ended).toMatchObject({ name: "AbortError" });
    await waitFor(() => !isAlive(pid), { what: "the builder ending" });
    expect(await images.listImages()).toEqual([]);
  });

  test("an image that is built inside a virtual machine is refused at plan time where there is none", async () => {
    const attributes = `requiredSystemFeatures = [ "kvm" ];`;
    const { commit, images: options } = setUp({ "flake.nix": imageFlake({ attributes }), "content.txt": content });
    const { images } = await makeImageAccount({ images: options });
    const derived = await images.deriveImage(commit);
    const check = images.checkBuild(derived);
    if (existsSync("/dev/kvm")) expect((await check).needs.join()).toContain("/dev/kvm");
    else {
      await expect(check).rejects.toMatchObject({
        code: "build_impossible_here",
        message: expect.stringContaining("/dev/kvm"),
      });
    }
  });

  test("commits that no branch holds, and mirrors without history, are built as well", async () => {
    const { source, mirror, environment, commit } = setUp();
    const nix = openNix({ environment, home: "/nonexistent" });
    const evaluate = (repository: string, at: string) =>
      nix.run(["eval", "--raw", `${gitFlake(repository, at)}#packages.x86_64-linux.image.drvPath`]);
    const program = openProgram({ directory: mirror, source, environment });
    const second = commitFiles(source, { "content.txt": "other\n" });
    git(source, "reset", "--hard", "--quiet", commit);
    const paths = [];
    for (const at of [second, commit]) paths.push(await program.resolve(at).then((found) => evaluate(mirror, found)));
    expect(new Set(paths).size).toBe(2);
    const shallow = join(source, "..", "shallow.git");
    git(source, "clone", "--quiet", "--bare", "--depth=1", `file://${source}`, shallow);
    git(shallow, "update-ref", `refs/revisions/${commit}`, commit);
    expect(await evaluate(shallow, commit)).toBe(paths[1]);
  });

  test("neither personal settings, registries nor other variables reach nix", async () => {
    const { environment, directory } = setUp();
    const home = String(environment.HOME);
    mkdirSync(join(home, ".config", "nix"), { recursive: true });
    writeFileSync(join(home, ".config", "nix", "nix.conf"), "nonsense that fails\nkeep-failed = true\n");
    const wrapper = join(directory, "nix-that-tells");
    writeFileSync(wrapper, `#!/bin/sh\nenv | cut -d= -f1 | sort\n`);
    chmodSync(wrapper, 0o755);
    const secret = { ...environment, AWS_SECRET_ACCESS_KEY: "x", ANTHROPIC_API_KEY: "x", NIX_CONFIG: "x" };
    const names = await openNix({ environment: secret, home, program: wrapper }).run(["--version"]);
    expect(names).not.toMatch(/AWS|ANTHROPIC|NIX_CONFIG/);
    expect(names).toMatch(/^NIX_STORE_DIR$/m);
    expect(await openNix({ environment, home }).run(["config", "show"]).catch(showConfig)).toMatch(
      /keep-failed = false/,
    );
    const registry = openNix({ environment, home }).run(["eval", "--raw", "nixpkgs#lib.version"]);
    await expect(registry).rejects.toThrow(/cannot find flake|nixpkgs/);

    async function showConfig() {
      // Its name before 2.19.
      return openNix({ environment, home }).run(["show-config"]);
    }
  });
}

test("says at plan time that nix is missing", async () => {
  const account = await makeImageAccount({ images: { needs: small } });
  const failure = account.images.deriveImage("a".repeat(40));
  await expect(failure).rejects.toMatchObject({
    code: "build_impossible_here",
    message: expect.stringContaining("nix"),
  });
  const image = { revision: "a".repeat(40), id: "img-0123456789ab", digest: "x", derivation: "/nix/store/x.drv" };
  await expect(account.images.checkBuild(image)).rejects.toMatchObject({ code: "build_impossible_here" });
});

test("a store that lies elsewhere is looked at where it is", () => {
  const nix = openNix({ environment: {}, home: "/h", options: ["--store", "/mnt"] });
  expect(nix.physical("/nix/store/x")).toBe("/mnt/nix/store/x");
  expect(nix.storeDirectory).toBe("/mnt/nix/store");
  const remote = openNix({ environment: {}, home: "/h", options: ["--store", "ssh://host"] });
  expect(remote.physical("/nix/store/x")).toBe("/nix/store/x");
});

test("a line of a log is shown plain and short", () => {
  expect(scrubLine("\u001B[1;31merror:\u001B[0m\ta\u0007b\r")).toBe("error: a b");
  expect(scrubLine("x".repeat(1000))).toHaveLength(301);
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
