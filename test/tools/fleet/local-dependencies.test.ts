import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { pathWithoutPackages } from "../../../tools/fleet/local/dependencies.ts";
import { createLocalProvider } from "../../../tools/fleet/local/provider.ts";
import { commitFiles, makeRepository } from "../../support/git.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const lock = (packages: Record<string, unknown>) =>
  `${JSON.stringify({ lockfileVersion: 3, packages: { "": { name: "fixture" }, ...packages } })}\n`;

const packages = {
  "node_modules/wanted": { version: "1.0.0", bin: { node: "bin/node" } },
  "node_modules/wanted/node_modules/inner": { version: "2.0.0" },
  "node_modules/only-dev": { version: "3.0.0", dev: true },
  "node_modules/for-elsewhere": {
    version: "4.0.0",
    optional: true,
    os: "plan9",
    cpu: "none",
    bin: { node: "bin/node" },
  },
};

/** A checkout with these packages installed, and an `npm` that notes how it was called and installs the same. */
function setUp(lockText: string) {
  const home = temporaryDirectory();
  const source = join(home, "source");
  makeRepository(source, { ".gitignore": "node_modules/\n", "package.json": "{}\n", "package-lock.json": lockText });
  const modules = join(source, "node_modules");
  const install = (place: string, version: string) => {
    mkdirSync(join(source, place, "bin"), { recursive: true });
    writeFileSync(join(source, place, "package.json"), JSON.stringify({ version }));
    writeFileSync(join(source, place, "bin", "node"), "#!/bin/sh\n", { mode: 0o755 });
  };
  for (const [place, { version }] of Object.entries(packages).slice(0, 3)) install(place, version);
  mkdirSync(join(modules, ".bin"));
  symlinkSync("../wanted/bin/node", join(modules, ".bin", "node"));
  symlinkSync("../only-dev/bin/node", join(modules, ".bin", "dev-tool"));
  writeFileSync(join(modules, ".installed-lock"), lockText);
  const bin = join(home, "bin");
  mkdirSync(bin);
  const log = join(home, "npm.log");
  const copy = `cp -r '${modules}' ./node_modules && rm -rf ./node_modules/only-dev`;
  writeFileSync(join(bin, "npm"), `#!/bin/sh\n{ echo "$@"; env; } >> '${log}'\n${copy}\n`);
  chmodSync(join(bin, "npm"), 0o755);
  const environment = { ...process.env, PATH: `${source}/node_modules/.bin:${bin}:${process.env.PATH}` };
  const secrets = {
    OPENAI_API_KEY: "key-1",
    npm_config_local_prefix: "/elsewhere",
    npm_config_registry: "https://r.test/",
  };
  const provider = createLocalProvider({
    home,
    programRepository: source,
    environment: { ...environment, ...secrets },
  });
  const build = async () => {
    const told: string[] = [];
    const progress = (text: string) => told.push(text);
    const { image } = await provider.buildImage("HEAD", { progress, signal: new AbortController().signal });
    return { image, told };
  };
  return { home, source, modules, log, build, shared: join(home, "fleet", "images", "dependencies") };
}

test("takes production packages by hard link from a checkout that has just these installed", async () => {
  const { modules, log, build } = setUp(lock(packages));
  const { image } = await build();
  const own = join(image.path, "node_modules");
  const inode = (root: string, path: string) => statSync(join(root, path)).ino;
  for (const path of ["wanted/package.json", "wanted/node_modules/inner/package.json", ".bin/node"]) {
    expect(inode(own, path)).toBe(inode(modules, path));
  }
  expect(readdirSync(own).sort()).toEqual([".bin", "wanted"]);
  expect(readdirSync(join(own, ".bin"))).toEqual(["node"]);
  expect(existsSync(log)).toBe(false);
});

test("images with the same lock file share their dependencies, others do not", async () => {
  const { source, build, shared } = setUp(lock(packages));
  const first = await build();
  commitFiles(source, { "agent/main.ts": "1;\n" });
  const second = await build();
  expect(second.image.id).not.toBe(first.image.id);
  const inode = (path: string) => statSync(join(path, "node_modules")).ino;
  expect(inode(second.image.path)).toBe(inode(first.image.path));
  commitFiles(source, {
    "package-lock.json": lock({ ...packages, "node_modules/no": { version: "1.0.0", dev: true } }),
  });
  await build();
  expect(readdirSync(shared).filter((name) => /^[0-9a-f]{64}$/.test(name))).toHaveLength(2);
});

test.each<[string, (source: string) => void]>([
  [
    "another version",
    (source) => writeFileSync(join(source, "node_modules/wanted/package.json"), '{"version":"1.0.1"}'),
  ],
  ["no such package", (source) => rmSync(join(source, "node_modules/wanted/node_modules/inner"), { recursive: true })],
  ["no Node", (source) => rmSync(join(source, "node_modules/.bin/node"))],
  ["another lock file", (source) => writeFileSync(join(source, "node_modules/.installed-lock"), "{}\n")],
])("asks npm when the checkout has %s", async (_, change) => {
  const { source, log, build } = setUp(lock(packages));
  change(source);
  const result = await build().catch((error: unknown) => error);
  const called = readFileSync(log, "utf8");
  expect(called).toMatch(/^install --no-save --omit=dev --ignore-scripts .*--prefix .*\/\.building-/);
  // What npm installed is checked as well: the one here copies the same wrong packages.
  if (!existsSync(join(source, "node_modules/wanted/node_modules/inner"))) {
    expect(result).toMatchObject({ name: "ProviderError", code: "dependencies_failed" });
  }
});

test("npm gets the settings that lead to its registry, and no secrets of ours", async () => {
  const { source, log, build } = setUp(lock(packages));
  writeFileSync(join(source, "node_modules", ".installed-lock"), "{}\n");
  const { told } = await build();
  expect(told).toContain("installing dependencies with npm");
  const called = readFileSync(log, "utf8");
  expect(called).toContain("npm_config_registry=https://r.test/");
  expect(called).not.toContain("local_prefix");
  expect(called).not.toContain("key-1");
  expect(called).not.toMatch(/^PATH=.*node_modules\/\.bin/m);
});

test("says what npm said when it fails, and leaves nothing behind", async () => {
  const { home, source, build, shared } = setUp(lock(packages));
  writeFileSync(join(source, "node_modules", ".installed-lock"), "{}\n");
  writeFileSync(join(home, "bin", "npm"), "#!/bin/sh\necho 'no route to the registry' >&2\nexit 7\n");
  await expect(build()).rejects.toThrow(/npm ended with 7: no route to the registry/);
  expect(readdirSync(shared)).toEqual([]);
});

test("a tree without a lock file has no dependencies; one that is no lock file is refused", async () => {
  const { source, build } = setUp(lock(packages));
  commitFiles(source, { "package-lock.json": "[]\n" });
  await expect(build()).rejects.toMatchObject({ name: "ToolError", code: "lock_file_invalid" });
  rmSync(join(source, "package-lock.json"));
  commitFiles(source, {});
  const { image } = await build();
  expect(existsSync(join(image.path, "node_modules"))).toBe(false);
});

test("leaves the project's own programs out of PATH", () => {
  expect(pathWithoutPackages("/a/node_modules/.bin:/usr/bin:/b/node_modules/.bin/:/bin")).toBe("/usr/bin:/bin");
});
