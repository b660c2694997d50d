import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { DesiredState } from "../../../tools/fleet/model.ts";
import { createFleetRepository, openFleetRepository } from "../../../tools/fleet/repository.ts";
import { parsePolicy } from "../../../tools/policy.ts";
import { commitFiles, git } from "../../support/git.ts";
import { runModule } from "../../support/run-module.ts";
import { temporaryDirectory } from "../../support/temporary.ts";

const template = join(import.meta.dirname, "../../../nix/templates/fleet");
const author = { name: "CLAWDINATOR-1", email: "clawdinator-1@localhost" };
const entry = { host: "local", type: "process", revision: "checkout" as const, tokenSecret: null };

const add = (name: string) => (files: { instances: DesiredState }) => ({
  instances: { ...files.instances, instances: { [name]: entry, ...files.instances.instances } },
});

async function setUp() {
  const home = temporaryDirectory();
  const directory = join(home, "fleet", "repo.git");
  const now = () => 1_700_000_000_000;
  await createFleetRepository({ directory, template, replacements: {}, author, now });
  const open = (instance: string) =>
    openFleetRepository({ directory, clone: join(home, instance, "clone.git"), author, now });
  const work = join(home, "work");
  const clone = () => {
    git(home, "clone", "--quiet", directory, work);
    return work;
  };
  const push = () => git(work, "push", "--quiet", "origin", "HEAD:main");
  return { home, directory, open, repository: open("i-1"), work, clone, push };
}

test("what machines are built from has a digest that launches and votes do not change", async () => {
  const { repository, clone, push } = await setUp();
  const work = clone();
  const first = await repository.configuration();
  expect(first.commit).toBe(await repository.tip());
  commitFiles(work, { "README.md": "Read me\n", ".github/workflows/other.yml": "on: push\n" });
  push();
  const told = await repository.configuration();
  expect(told.commit).not.toBe(first.commit);
  expect(told.digest).toBe(first.digest);
  commitFiles(work, { "nix/settings.json": "{}\n" });
  push();
  expect((await repository.configuration()).digest).not.toBe(first.digest);
});

test("starts from the template, once, with a policy that is valid for one maintainer", async () => {
  const { home, directory, repository } = await setUp();
  const tip = await repository.tip();
  expect(await repository.desiredAt(tip)).toEqual({ formatVersion: 1, instances: {} });
  const policy = parsePolicy(await repository.policyTextAt(tip), "policy.json");
  expect(policy.approvers).toEqual(["1"]);
  expect(git(directory, "ls-tree", "-r", "--name-only", tip).split("\n")).toEqual([
    ".github/workflows/image.yml",
    "README.md",
    "flake.nix",
    "nix/host.nix",
    "nix/instances.json",
    "nix/settings.json",
    "policy.json",
  ]);
  const replacements = { '"approvers": ["1"]': '"approvers": ["7"]' };
  expect(await createFleetRepository({ directory, template, replacements, author })).toEqual({ created: false });
  expect(await repository.tip()).toBe(tip);
  const other = join(home, "other.git");
  expect(await createFleetRepository({ directory: other, template, replacements, author })).toMatchObject({
    created: true,
  });
  expect(git(other, "cat-file", "blob", "main:policy.json")).toContain('"approvers": ["7"]');
});

test("several processes that make it at once make one, and leave nothing else", async () => {
  const home = temporaryDirectory();
  const directory = join(home, "fleet", "repo.git");
  const source = `
    const { createFleetRepository } = await import(project("tools/fleet/repository.ts"));
    const options = ${JSON.stringify({ directory, template, replacements: {}, author })};
    console.log((await createFleetRepository(options)).created);
  `;
  const makers = [0, 1, 2].map(() => runModule(source));
  expect(await Promise.all(makers.map(({ ended }) => ended))).toEqual([0, 0, 0]);
  expect(makers.filter(({ lines }) => lines[0] === "true")).toHaveLength(1);
  expect(readdirSync(join(home, "fleet"))).toEqual(["repo.git"]);
});

test("a change is one commit with who made it and its trailer, in one text for one state", async () => {
  const { directory, repository } = await setUp();
  const before = await repository.tip();
  await repository.commit({ trailer: "d1/a", message: "Add ten", change: add("CLAWDINATOR-10") });
  const { commit } = await repository.commit({
    trailer: "d1/b",
    message: "Add two\n\nAsked by Ada",
    change: add("CLAWDINATOR-2"),
  });
  expect(await repository.tip()).toBe(commit);
  expect(git(directory, "log", "-1", "--format=%an <%ae> %at%n%B", commit)).toBe(
    "CLAWDINATOR-1 <clawdinator-1@localhost> 1700000000\nAdd two\n\nAsked by Ada\n\nOperation: d1/b",
  );
  const text = git(directory, "cat-file", "blob", `${commit}:nix/instances.json`);
  expect(text).toBe(
    JSON.stringify({ formatVersion: 1, instances: { "CLAWDINATOR-2": entry, "CLAWDINATOR-10": entry } }, null, 2),
  );
  const since = await repository.commitsSince(before);
  expect(since.map(({ subject, trailer, files, author: by }) => [subject, trailer, files, by])).toEqual([
    ["Add two", "d1/b", ["nix/instances.json"], "CLAWDINATOR-1 <clawdinator-1@localhost>"],
    ["Add ten", "d1/a", ["nix/instances.json"], "CLAWDINATOR-1 <clawdinator-1@localhost>"],
  ]);
  expect(await repository.commitsSince(commit)).toEqual([]);
});

test("repeating a step is harmless, also from another instance and after others have gone on", async () => {
  const { open, repository } = await setUp();
  const step = { trailer: "d1/a", message: "Add two", change: add("CLAWDINATOR-2") };
  const { commit } = await repository.commit(step);
  expect(await repository.commit(step)).toEqual({ commit });
  const remove = {
    trailer: "d2/a",
    message: "Remove two",
    change: () => ({ instances: { formatVersion: 1 as const, instances: {} } }),
  };
  const removed = await open("i-2").commit(remove);
  expect(await open("i-3").commit(step)).toEqual({ commit });
  expect(await repository.tip()).toBe(removed.commit);
});

test("a change that holds already still leaves a commit that says so", async () => {
  const { repository } = await setUp();
  const first = await repository.commit({ trailer: "d1/a", message: "Add two", change: add("CLAWDINATOR-2") });
  const step = { trailer: "d2/a", message: "Add two again", change: add("CLAWDINATOR-2") };
  const second = await repository.commit(step);
  expect(await repository.commitsSince(first.commit)).toMatchObject([
    { commit: second.commit, trailer: "d2/a", files: [] },
  ]);
  expect(await repository.commit(step)).toEqual(second);
});

test("committers in several processes all land", async () => {
  const { home, directory, repository } = await setUp();
  const writers = [2, 3, 4].map((n) =>
    runModule(`
      const { openFleetRepository } = await import(project("tools/fleet/repository.ts"));
      const repository = openFleetRepository(${JSON.stringify({ directory, clone: join(home, `w${n}`, "clone.git"), author })});
      const entry = ${JSON.stringify(entry)};
      for (const n of [${n}, ${n + 10}]) {
        await repository.commit({
          trailer: "d/" + n,
          message: "Add " + n,
          change: ({ instances: state }) =>
            ({ instances: { ...state, instances: { ...state.instances, ["CLAWDINATOR-" + n]: entry } } }),
        });
      }
    `),
  );
  expect(await Promise.all(writers.map(({ ended }) => ended))).toEqual([0, 0, 0]);
  const { instances } = await repository.desiredAt(await repository.tip());
  expect(Object.keys(instances)).toEqual([2, 3, 4, 12, 13, 14].map((n) => `CLAWDINATOR-${n}`));
});

test("a foreign commit in between is kept, other files with it, and is listed without a trailer", async () => {
  const { open, repository, work, clone, push } = await setUp();
  const before = await repository.tip();
  clone();
  const foreign = commitFiles(work, { "notes.md": "ours\n" }, "Notes\n\nOperation: later\nmore text");
  let pushed = false;
  const change = (files: { instances: DesiredState }) => {
    if (!pushed) push();
    pushed = true;
    return add("CLAWDINATOR-2")(files);
  };
  const { commit } = await repository.commit({ trailer: "d1/a", message: "Add two", change });
  git(work, "fetch", "--quiet");
  expect(git(work, "show", `${commit}:notes.md`)).toBe("ours");
  expect(git(work, "rev-parse", `${commit}~1`)).toBe(foreign);
  expect(await open("i-2").commitsSince(before)).toMatchObject([
    { commit, trailer: "d1/a" },
    { commit: foreign, trailer: null, files: ["notes.md"], author: "Somebody <somebody@example.org>" },
  ]);
});

test.each<[string, Record<string, string>]>([
  ["nothing", {}],
  [
    "something else",
    { "nix/instances.json": JSON.stringify({ formatVersion: 1, instances: { "CLAWDINATOR-9": entry } }) },
  ],
  [
    "the change and more",
    {
      "nix/instances.json": `${JSON.stringify({ formatVersion: 1, instances: { "CLAWDINATOR-2": entry } }, null, 2)}\n`,
      "policy.json": "{}\n",
    },
  ],
])("a forged trailer on a commit that does %s does not count", async (_, files) => {
  const { repository, work, clone, push } = await setUp();
  const step = { trailer: "d1/a", message: "Add two", change: add("CLAWDINATOR-2") };
  clone();
  const forged = commitFiles(work, { ...files, "README.md": "forged\n" }, "Add two\n\nOperation: d1/a");
  push();
  const { commit } = await repository.commit(step);
  expect(commit).not.toBe(forged);
  expect(git(work, "ls-remote", "origin", "main").slice(0, 40)).toBe(commit);
  expect((await repository.desiredAt(commit)).instances).toHaveProperty("CLAWDINATOR-2");
  expect(await repository.commit(step)).toEqual({ commit });
});

test.each([
  ["not JSON", "{", /nix\/instances\.json .*is not JSON/],
  [
    "wrong entries",
    JSON.stringify({
      formatVersion: 1,
      instances: { "CLAWDINATOR-2": { ...entry, revision: "main", host: "" } },
      more: 1,
    }),
    /instances\.CLAWDINATOR-2\.host: [\s\S]*instances\.CLAWDINATOR-2\.revision: a revision is a full commit id[\s\S]*more/,
  ],
  [
    "a wrong name",
    JSON.stringify({ formatVersion: 1, instances: { Bob: entry } }),
    /instances\.Bob: an instance is named/,
  ],
  ["a newer format", JSON.stringify({ formatVersion: 2, instances: {} }), /formatVersion/],
])("instances.json with %s is an error that names file and key, and is not written over", async (_, text, message) => {
  const { repository, work, clone, push } = await setUp();
  clone();
  const broken = commitFiles(work, { "nix/instances.json": text });
  push();
  await expect(repository.desiredAt(broken)).rejects.toThrow(message);
  const step = { trailer: "d1/a", message: "Add two", change: add("CLAWDINATOR-2") };
  await expect(repository.commit(step)).rejects.toMatchObject({ name: "ConfigError", code: "fleet_file_invalid" });
  expect(await repository.tip()).toBe(broken);
});

test("a change of the policy touches nothing else", async () => {
  const { repository } = await setUp();
  const before = await repository.tip();
  const change = ({ policyText }: { policyText: string }) => ({ policyText: policyText.replace('"1"', '"1", "2"') });
  const { commit } = await repository.commit({ trailer: "d1/a", message: "Add a maintainer", change });
  expect(await repository.commitsSince(before)).toMatchObject([{ files: ["policy.json"] }]);
  expect(await repository.policyTextAt(commit)).toContain('"approvers": ["1", "2"]');
});

test("hooks that someone put into the repository or the clone are not run", async () => {
  const { home, directory, repository } = await setUp();
  await repository.tip();
  for (const place of [directory, join(home, "i-1", "clone.git")]) {
    mkdirSync(join(place, "hooks"), { recursive: true });
    for (const hook of [
      "pre-receive",
      "update",
      "post-receive",
      "reference-transaction",
      "pre-push",
      "post-index-change",
    ]) {
      writeFileSync(join(place, "hooks", hook), `#!/bin/sh\ntouch '${home}/trapped'\n`, { mode: 0o755 });
    }
  }
  await repository.commit({ trailer: "d1/a", message: "Add two", change: add("CLAWDINATOR-2") });
  expect(existsSync(join(home, "trapped"))).toBe(false);
});

test("says that the repository cannot be read, that it refuses a push, and that a commit is not in it", async () => {
  const { home, directory, repository } = await setUp();
  const nowhere = openFleetRepository({ directory: join(home, "nothing.git"), clone: join(home, "n.git"), author });
  await expect(nowhere.tip()).rejects.toMatchObject({ code: "fleet_repository_unreachable" });
  await expect(repository.desiredAt("0".repeat(40))).rejects.toMatchObject({ code: "fleet_commit_unknown" });
  await expect(repository.commitsSince("HEAD --output=x")).rejects.toMatchObject({ code: "fleet_commit_unknown" });
  const config = readFileSync(join(directory, "config"), "utf8");
  writeFileSync(
    join(directory, "config"),
    `${config}[transfer]\n\thideRefs = refs/heads/main\n[receive]\n\thideRefs = refs\n`,
  );
  git(directory, "config", "--unset", "transfer.hideRefs");
  const step = { trailer: "d1/a", message: "Add two", change: add("CLAWDINATOR-2") };
  await expect(repository.commit(step)).rejects.toMatchObject({ name: "ProviderError", code: "fleet_push_failed" });
});

test("makes a new clone when the old one is gone", async () => {
  const { home, open, repository } = await setUp();
  const { commit } = await repository.commit({ trailer: "d1/a", message: "Add two", change: add("CLAWDINATOR-2") });
  expect(existsSync(join(home, "i-9"))).toBe(false);
  expect((await open("i-9").desiredAt(commit)).instances).toHaveProperty("CLAWDINATOR-2");
});
