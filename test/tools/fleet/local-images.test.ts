import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createLocalProvider } from "../../../tools/fleet/local/provider.ts";
import { commitFiles, git, makeRepository } from "../../support/git.ts";
import { runModule } from "../../support/run-module.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const emptyLock = `${JSON.stringify({ lockfileVersion: 3, packages: { "": { name: "fixture" } } })}\n`;
const files = {
  "package.json": `{ "name": "fixture" }\n`,
  "package-lock.json": emptyLock,
  "agent/main.ts": "console.log(1);\n",
  "bin/tool": "#!/bin/sh\nexit 0\n",
};

function setUp(extra: Record<string, string> = {}) {
  const home = temporaryDirectory();
  const source = join(home, "source");
  const commit = makeRepository(source, { ...files, ...extra });
  // As after an installation, so that no test needs npm.
  mkdirSync(join(source, "node_modules"));
  writeFileSync(join(source, "node_modules", ".installed-lock"), emptyLock);
  writeFileSync(join(source, ".gitignore"), "node_modules/\n");
  const provider = createLocalProvider({ home, programRepository: source, environment: process.env });
  const build = (revision: string) =>
    provider.buildImage(revision, { progress: () => {}, signal: new AbortController().signal });
  return { home, source, commit, provider, build, images: join(home, "fleet", "images") };
}

const buildSource = (home: string, source: string, revision: string, killAt: string | null) => `
  const { createLocalProvider } = await import(project("tools/fleet/local/provider.ts"));
  const provider = createLocalProvider({
    home: ${JSON.stringify(home)}, programRepository: ${JSON.stringify(source)}, environment: process.env,
  });
  const progress = (text) => text.startsWith(${JSON.stringify(killAt ?? "\0")}) && process.kill(process.pid, "SIGKILL");
  const result = await provider.buildImage(${JSON.stringify(revision)}, { progress, signal: new AbortController().signal });
  console.log(JSON.stringify({ reused: result.reused, digest: result.image.digest }));
`;

test("what is derived before the build is what the build gives, and the same commit is built once", async () => {
  const { commit, provider, build } = setUp();
  const derived = await provider.deriveImage("HEAD");
  expect(derived).toMatchObject({ revision: commit, built: null });
  expect(derived.id).toBe(`local-${derived.digest.slice(0, 16)}`);
  const first = await build("main");
  expect(first).toMatchObject({ reused: false, image: { id: derived.id, digest: derived.digest, revision: commit } });
  expect(readFileSync(join(first.image.path, "agent/main.ts"), "utf8")).toBe(files["agent/main.ts"]);
  const second = await build(commit);
  expect(second).toEqual({ reused: true, image: first.image });
  expect((await provider.deriveImage(commit)).built).toEqual(first.image);
  expect(await provider.listImages()).toEqual([first.image]);
});

test("names mean what they mean in the source at that moment; short ids, tags and steps back work", async () => {
  const { source, commit, provider } = setUp();
  expect(await provider.resolveRevision("HEAD")).toBe(commit);
  const next = commitFiles(source, { "new.txt": "new\n" });
  git(source, "tag", "--annotate", "--message=Release", "v1");
  expect(await provider.resolveRevision("HEAD")).toBe(next);
  expect(await provider.resolveRevision("v1")).toBe(next);
  expect(await provider.resolveRevision("main~1")).toBe(commit);
  expect(await provider.resolveRevision(commit.slice(0, 8))).toBe(commit);
});

test("a commit that no branch holds any more is fetched by its id", async () => {
  const { source, commit, provider } = setUp();
  const lost = commitFiles(source, { "lost.txt": "lost\n" });
  git(source, "reset", "--hard", "--quiet", commit);
  expect(await provider.resolveRevision(lost)).toBe(lost);
});

test("an instance without a checkout finds the repository that was used before it", async () => {
  const { home, source, provider } = setUp();
  await provider.resolveRevision("HEAD").then((commit) => provider.deriveImage(commit));
  const next = commitFiles(source, { "new.txt": "new\n" });
  const later = createLocalProvider({ home, programRepository: null, environment: process.env });
  expect(await later.resolveRevision("main")).toBe(next);
});

test.each(["-x", "--upload-pack=touch x", "a..b", "", "HEAD^{/x}", "x:y"])(
  "refuses %j as a revision",
  async (revision) => {
    const { provider } = setUp();
    await expect(provider.resolveRevision(revision)).rejects.toMatchObject({ code: "revision_invalid" });
  },
);

test("tells an unknown revision, an unreachable repository and a missing git apart", async () => {
  const { home, source, provider } = setUp();
  await expect(provider.resolveRevision("nowhere")).rejects.toMatchObject({ code: "revision_unknown" });
  await expect(provider.resolveRevision("0".repeat(40))).rejects.toMatchObject({ code: "revision_unknown" });
  const elsewhere = createLocalProvider({ home, programRepository: join(home, "nothing"), environment: process.env });
  await expect(elsewhere.resolveRevision("HEAD")).rejects.toMatchObject({ code: "program_repository_unreachable" });
  const withoutGit = createLocalProvider({ home, programRepository: source, environment: { PATH: home } });
  await expect(withoutGit.resolveRevision("HEAD")).rejects.toMatchObject({ name: "ConfigError", code: "git_missing" });
});

test("two processes that build at once build one image", async () => {
  const { home, source, images } = setUp();
  const builds = [0, 1].map(() => runModule(buildSource(home, source, "HEAD", null)));
  expect(await Promise.all(builds.map(({ ended }) => ended))).toEqual([0, 0]);
  const results = builds.map(({ lines }) => JSON.parse(lines[0] ?? "null"));
  expect(results.map(({ reused }) => reused).sort()).toEqual([false, true]);
  expect(results[0].digest).toBe(results[1].digest);
  expect(readdirSync(images).filter((name) => name.startsWith("local-"))).toHaveLength(1);
});

test.each(["reading commit", "preparing dependencies"])(
  "a build killed while %s leaves nothing that counts as built, and the next one cleans up",
  async (killAt) => {
    const { home, source, provider, build, images } = setUp();
    expect(await runModule(buildSource(home, source, "HEAD", killAt)).ended).toBe("SIGKILL");
    expect(readdirSync(images).some((name) => name.startsWith(".building-"))).toBe(true);
    expect(await provider.listImages()).toEqual([]);
    expect((await provider.deriveImage("HEAD")).built).toBeNull();
    expect((await build("HEAD")).reused).toBe(false);
    expect(readdirSync(images).filter((name) => name.startsWith("."))).toEqual([]);
  },
);

test.each<[string, (tree: string) => void]>([
  ["another content", (tree) => writeFileSync(join(tree, "agent/main.ts"), "console.log(2);\n")],
  ["a file more", (tree) => writeFileSync(join(tree, "agent/more.ts"), "")],
  ["a file less", (tree) => rmSync(join(tree, "agent/main.ts"))],
  ["another listing", (tree) => writeFileSync(join(tree, "..", "listing"), "clawdinator image 1\n")],
  [
    "other dependencies",
    (tree) => {
      rmSync(join(tree, "node_modules"));
      symlinkSync("/tmp", join(tree, "node_modules"));
    },
  ],
])("an image with %s is not launched, and is built again", async (_, tamper) => {
  const { commit, provider, build } = setUp();
  const { image } = await build("HEAD");
  tamper(image.path);
  expect((await provider.deriveImage("HEAD")).built).toBeNull();
  const spec = {
    instance: "i-1",
    name: "CLAWDINATOR-2",
    image: image.id,
    revision: commit,
    port: null,
    placement: null,
  };
  await expect(provider.launch(spec)).rejects.toMatchObject({ code: "image_damaged" });
  expect(await provider.liveness("i-1")).toBe("absent");
  expect((await build("HEAD")).reused).toBe(false);
  expect((await provider.deriveImage("HEAD")).built?.digest).toBe(image.digest);
});

test("attributes of the commit change nothing in the image", async () => {
  const { source, build } = setUp({ "a.txt": "$Id$\n" });
  const attributes =
    "* text eol=crlf ident\nagent/main.ts export-ignore\n*.txt filter=lfs working-tree-encoding=UTF-16\n";
  writeFileSync(join(source, "attributes"), attributes);
  // Past the work tree, where git would convert the other files while it looks at them.
  const blob = git(source, "hash-object", "-w", "--no-filters", "attributes");
  git(source, "update-index", "--add", "--cacheinfo", `100644,${blob},.gitattributes`);
  git(source, "commit", "--quiet", "--message=Attributes");
  const { image } = await build("HEAD");
  expect(readFileSync(join(image.path, ".gitattributes"), "utf8")).toBe(attributes);
  expect(readFileSync(join(image.path, "a.txt"), "utf8")).toBe("$Id$\n");
  expect(existsSync(join(image.path, "agent/main.ts"))).toBe(true);
});

test("links inside the tree are kept; links that lead out of it are refused", async () => {
  const { source, build } = setUp();
  symlinkSync("../agent/main.ts", join(source, "bin", "inside"));
  commitFiles(source, {});
  const { image } = await build("HEAD");
  expect(readFileSync(join(image.path, "bin", "inside"), "utf8")).toBe(files["agent/main.ts"]);
  for (const target of ["../../outside", "/etc/passwd", "../agent/../../outside"]) {
    rmSync(join(source, "bin", "inside"), { force: true });
    symlinkSync(target, join(source, "bin", "inside"));
    commitFiles(source, {});
    await expect(build("HEAD")).rejects.toMatchObject({ code: "commit_unusable" });
  }
});

test("hooks of the source are not run", async () => {
  const { home, source, build } = setUp();
  const trap = `#!/bin/sh\ntouch ${join(home, "trapped")}\n`;
  mkdirSync(join(source, ".git", "hooks"), { recursive: true });
  for (const hook of ["post-checkout", "pre-receive", "reference-transaction", "post-index-change"]) {
    writeFileSync(join(source, ".git", "hooks", hook), trap, { mode: 0o755 });
  }
  await build("HEAD");
  expect(existsSync(join(home, "trapped"))).toBe(false);
});

test("an image that an instance is made from stays; any other is removed with what only it needed", async () => {
  const { home, commit, provider, build, images } = setUp();
  const { image } = await build("HEAD");
  const instance = join(home, "instances", "i-1");
  mkdirSync(instance, { recursive: true });
  const spec = { formatVersion: 1, instance: "i-1", name: "CLAWDINATOR-2", image: image.id, revision: commit };
  writeFileSync(join(instance, "instance.json"), JSON.stringify({ ...spec, port: null, candidate: false }));
  await expect(provider.removeImage(image.id)).rejects.toMatchObject({ code: "image_in_use" });
  await provider.remove("i-1", { graceMs: 0, signal: new AbortController().signal });
  await provider.removeImage(image.id);
  await provider.removeImage(image.id);
  expect(await provider.listImages()).toEqual([]);
  expect(readdirSync(join(images, "dependencies"))).toEqual([]);
});

test("an image of a newer version of the program is refused, not guessed", async () => {
  const { provider, build } = setUp();
  const { image } = await build("HEAD");
  writeFileSync(join(image.path, "..", "image.json"), JSON.stringify({ formatVersion: 2 }));
  await expect(provider.listImages()).rejects.toMatchObject({ name: "ConfigError", code: "format_unknown" });
});
