/** New values reach a running instance: from the secrets' store to files, and from a file to the next model request. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createAuditLog } from "../../../agent/gateway/audit.ts";
import { createSecretsDesk } from "../../../agent/gateway/secrets.ts";
import { openSecretsDirectory } from "../../../agent/gateway/secrets-directory.ts";
import { type SecretsSyncOptions, startSecretsSync } from "../../../agent/gateway/secrets-sync.ts";
import { openSqliteStore } from "../../../agent/gateway/store/sqlite.ts";
import { openAiChatModel } from "../../../agent/mind/models/openai-chat.ts";
import { ProviderError } from "../../../tools/errors.ts";
import { writeHeartbeat } from "../../../tools/fleet/heartbeats.ts";
import type { Check } from "../../../tools/fleet/model.ts";
import { giveName } from "../../../tools/fleet/names.ts";
import { announceSecret } from "../../../tools/secrets/changes.ts";
import { openLocalSecrets } from "../../../tools/secrets/local.ts";
import type { SecretInfo, SecretStore } from "../../../tools/secrets/secrets.ts";
import { modelRequest } from "../../support/model-request.ts";
import { startOpenAiServer } from "../../support/openai-server.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { waitFor } from "../../support/wait.ts";

const key = { name: "openai-api-key", instance: null };
const ownKey = { name: "openai-api-key", instance: "CLAWDINATOR-2" };
const name = "CLAWDINATOR-2";

/** An hour between looks: what happens sooner happens because it was told. */
async function setUp(rest: Partial<SecretsSyncOptions> & { groupReadable?: string[] } = {}) {
  const home = temporaryDirectory();
  const secrets = openLocalSecrets({ directory: join(home, "secrets"), environment: {} });
  const store = await openSqliteStore({ path: join(home, "store.sqlite") });
  const path = join(home, "run");
  const { groupReadable = [], ...others } = rest;
  const directory = openSecretsDirectory({ path, prefix: "clawdinator-", groupReadable });
  const checks = new Map<string, Check>();
  const lines: string[] = [];
  const start = (more: Partial<SecretsSyncOptions> = {}) => {
    const sync = startSecretsSync({
      secrets,
      store,
      directory,
      name,
      onCheck: (check) => checks.set(check.name, check),
      log: (level, message, fields) => lines.push(JSON.stringify({ level, message, ...fields })),
      intervalMs: 3_600_000,
      signalIntervalMs: 20,
      ...others,
      ...more,
    });
    onTestFinished(() => sync.stop());
    return sync;
  };
  onTestFinished(() => store.close());
  const file = (secret: string): string => join(path, `clawdinator-${secret}`);
  return { home, secrets, store, path, directory, checks, lines, start, file };
}

test("puts each secret into a file that only this user can read, its own before the shared one, and says which", async () => {
  const { secrets, start, file, checks, path, lines } = await setUp();
  await secrets.put(key, "shared-key");
  const own = await secrets.put(ownKey, "own-key");
  await secrets.put({ name: "discord-token", instance: "CLAWDINATOR-3" }, "not mine");
  await start().look();
  expect(readFileSync(file("openai-api-key"), "utf8")).toBe("own-key");
  expect(statSync(file("openai-api-key")).mode & 0o777).toBe(0o400);
  expect(statSync(path).mode & 0o777).toBe(0o700);
  expect(existsSync(file("discord-token"))).toBe(false);
  expect(checks.get("secret openai-api-key")).toEqual({
    name: "secret openai-api-key",
    ok: true,
    detail: `CLAWDINATOR-2/openai-api-key version ${own.info.version}`,
  });
  expect(checks.get("secrets")).toMatchObject({ ok: true });
  expect(JSON.stringify([lines, [...checks]])).not.toMatch(/own-key|shared-key/);
});

test("takes up a rotated key at once, and the model's next request carries it", async () => {
  const { secrets, store, start, file } = await setUp();
  const hello = { stream: [{ delta: { content: "Hello" } }, { finish: "stop" }] };
  const server = await startOpenAiServer([hello, hello]);
  const first = await secrets.put(key, "first-key");
  await announceSecret(store, first.info);
  await start().look();
  const model = openAiChatModel({
    baseUrl: server.baseUrl,
    model: "m",
    apiKeyFile: file("openai-api-key"),
    environment: {},
  });
  const ask = async (): Promise<void> => {
    const request = modelRequest();
    for await (const _event of model.stream(request));
  };
  await ask();
  const desk = createSecretsDesk({ secrets, fleet: { store, audit: createAuditLog(store) } });
  await desk.act({ ...key, action: "rotate", value: "second-key" }, { actor: "maintainer:1", surface: "cli" });
  await waitFor(() => readFileSync(file("openai-api-key"), "utf8") === "second-key");
  await ask();
  expect(server.requests.map(({ authorization }) => authorization)).toEqual(["Bearer first-key", "Bearer second-key"]);
});

test("a key's file stands in for the variable while it exists", async () => {
  const { file, path } = await setUp();
  const hello = { stream: [{ delta: { content: "Hello" } }, { finish: "stop" }] };
  const server = await startOpenAiServer([hello, hello]);
  const model = openAiChatModel({
    baseUrl: server.baseUrl,
    model: "m",
    keyFileIfThere: file("openai-api-key"),
    environment: { OPENAI_API_KEY: "variable" },
  });
  const request = modelRequest();
  for await (const _event of model.stream(request));
  mkdirSync(path);
  writeFileSync(file("openai-api-key"), "file\n");
  for await (const _event of model.stream(request));
  expect(server.requests.map(({ authorization }) => authorization)).toEqual(["Bearer variable", "Bearer file"]);
});

test("asks again for a version that was announced and is not visible yet", async () => {
  const { secrets, store, start, file } = await setUp();
  const first = await secrets.put(key, "old");
  let reads = 0;
  const slow: SecretStore = {
    ...secrets,
    async read(ref) {
      const found = await secrets.read(ref);
      if (found?.value !== "new" || ++reads > 3) return found;
      return { info: { ...first.info }, value: "old" };
    },
  };
  await start({ secrets: slow }).look();
  const second = await secrets.put(key, "new");
  await announceSecret(store, second.info);
  await waitFor(() => readFileSync(file("openai-api-key"), "utf8") === "new");
  expect(reads).toBe(4);
});

test("finds by its own looks what nobody announced, and removes what was removed", async () => {
  const { secrets, start, file, checks, path, home } = await setUp({ intervalMs: 30 });
  mkdirSync(path, { mode: 0o700 });
  writeFileSync(join(path, "clawdinator-of-somebody-else"), "keep");
  await secrets.put(key, "value");
  const sync = start();
  await waitFor(() => existsSync(file("openai-api-key")));
  await secrets.put(ownKey, "own");
  await waitFor(() => readFileSync(file("openai-api-key"), "utf8") === "own");
  await sync.stop();
  // Removed while no process ran here: the record says what was ours.
  const { rmSync } = await import("node:fs");
  rmSync(join(home, "secrets"), { recursive: true });
  start();
  await waitFor(() => !existsSync(file("openai-api-key")));
  await waitFor(() => checks.get("secret openai-api-key")?.detail === "there is none any more");
  expect(readFileSync(join(path, "clawdinator-of-somebody-else"), "utf8")).toBe("keep");
});

test("a list that is too old removes nothing", async () => {
  const { secrets, start, file } = await setUp();
  await secrets.put(key, "value");
  let isStale = false;
  const stale: SecretStore = { ...secrets, look: async (asked) => (isStale ? new Map() : secrets.look(asked)) };
  const sync = start({ secrets: stale });
  await sync.look();
  isStale = true;
  await sync.look();
  expect(readFileSync(file("openai-api-key"), "utf8")).toBe("value");
});

test("its own is not given up for the shared one while it may not be read", async () => {
  const { secrets, start, file, checks } = await setUp();
  await secrets.put(key, "shared");
  await secrets.put(ownKey, "own");
  let isDenied = false;
  const held: SecretStore = {
    ...secrets,
    look: async (asked) =>
      isDenied ? new Map([[key.name, (await secrets.list())[0] as SecretInfo]]) : secrets.look(asked),
    read(ref) {
      if (!isDenied || ref.instance === null) return secrets.read(ref);
      return Promise.reject(new ProviderError("not allowed", { code: "secret_denied", hint: "wait" }));
    },
  };
  const sync = start({ secrets: held });
  await sync.look();
  isDenied = true;
  for (let look = 0; look < 3; look++) await sync.look();
  expect(readFileSync(file("openai-api-key"), "utf8")).toBe("own");
  expect(checks.get("secrets")).toMatchObject({ ok: false, detail: "openai-api-key: not allowed" });
});

test("asks a store that tells only of what it is asked for about what was announced", async () => {
  const { secrets, store, start, file } = await setUp();
  const { info } = await secrets.put({ name: "my-own", instance: null }, "value");
  await announceSecret(store, info);
  const asked: string[][] = [];
  const byName: SecretStore = {
    ...secrets,
    async look(options) {
      asked.push([...options.names]);
      return secrets.look(options);
    },
  };
  await start({ secrets: byName }).look();
  expect(asked[0]).toEqual(["anthropic-api-key", "discord-token", "github-app-pem", "openai-api-key", "my-own"]);
  expect(existsSync(file("my-own"))).toBe(true);
});

test("writes again what somebody deleted, and clears away what a killed write left", async () => {
  const { secrets, start, file, path } = await setUp();
  await secrets.put(key, "value");
  const sync = start();
  await sync.look();
  const { rmSync } = await import("node:fs");
  rmSync(file("openai-api-key"));
  writeFileSync(join(path, ".clawdinator-new-0123"), "half of a secret");
  await sync.look();
  expect(readdirSync(path).sort()).toEqual([".clawdinator-secrets.json", "clawdinator-openai-api-key"]);
});

test.each([
  ["is open to other users", (path: string) => chmodSync(path, 0o750)],
  ["is open to other users", (path: string) => chmodSync(path, 0o711)],
])("refuses a directory that %s, and says so in its check", async (problem, change) => {
  const { secrets, start, path, checks } = await setUp();
  await secrets.put(key, "value");
  mkdirSync(path, { mode: 0o700 });
  change(path);
  await start().look();
  expect(checks.get("secrets")).toMatchObject({ ok: false, detail: expect.stringContaining(problem) });
  expect(readdirSync(path)).toEqual([]);
});

test("refuses a link in place of the directory", async () => {
  const { secrets, start, path, checks, home } = await setUp();
  await secrets.put(key, "value");
  mkdirSync(join(home, "elsewhere"), { mode: 0o700 });
  symlinkSync(join(home, "elsewhere"), path);
  await start().look();
  expect(checks.get("secrets")).toMatchObject({ ok: false, detail: expect.stringContaining("is not a directory") });
});

test("lets the directory's group read the secrets that are named, and no other", async () => {
  const { secrets, start, file, path } = await setUp({ groupReadable: ["openai-api-key"] });
  await secrets.put(key, "value");
  await secrets.put({ name: "discord-token", instance: null }, "token");
  await start().look();
  expect([path, file("openai-api-key"), file("discord-token")].map((one) => statSync(one).mode & 0o777)).toEqual([
    0o750, 0o440, 0o400,
  ]);
});

test("keeps what it has while the store cannot be read, and fails its check only when that lasts", async () => {
  const { secrets, start, file, checks } = await setUp();
  await secrets.put(key, "value");
  let isBroken = false;
  const broken: SecretStore = {
    ...secrets,
    look: (asked) => (isBroken ? Promise.reject(new Error("no network")) : secrets.look(asked)),
  };
  const sync = start({ secrets: broken });
  await sync.look();
  isBroken = true;
  const oks: (boolean | undefined)[] = [];
  for (let look = 0; look < 3; look++) {
    await sync.look();
    oks.push(checks.get("secrets")?.ok);
  }
  expect(oks).toEqual([true, true, false]);
  expect(readFileSync(file("openai-api-key"), "utf8")).toBe("value");
  isBroken = false;
  await sync.look();
  expect(checks.get("secrets")?.ok).toBe(true);
});

test("tells which running instances have taken a version up, and keeps the old value until all have", async () => {
  const { home, secrets, store, start, checks } = await setUp();
  await secrets.put(key, "old");
  const sync = start();
  await sync.look();
  // The store on AWS is asked by its kind alone: what instances say of themselves is the same.
  const desk = createSecretsDesk({
    secrets: { ...secrets, kind: "aws" },
    fleet: { store, audit: createAuditLog(store) },
  });
  for (const [holder, instance] of [
    ["CLAWDINATOR-2", "i-2"],
    ["CLAWDINATOR-3", "i-3"],
  ] as const) {
    const { epoch } = await giveName(store, { name: holder, to: instance, from: null, leaseMs: 600_000 });
    await writeHeartbeat(store, heartbeatOf({ name: holder, instance, epoch, checks: [...checks.values()] }));
  }
  const who = { actor: "maintainer:1", surface: "cli" };
  const rotated = await desk.act({ ...key, action: "rotate", value: "new" }, who);
  expect(rotated.uptake?.map(({ state }) => state)).toEqual(["waiting", "waiting"]);
  await expect(desk.act({ ...key, action: "confirm", value: null }, who)).rejects.toMatchObject({
    code: "not_taken_up",
  });
  await waitFor(() => checks.get("secret openai-api-key")?.detail.endsWith(rotated.secret.version));
  await writeHeartbeat(
    store,
    heartbeatOf({ name: "CLAWDINATOR-2", instance: "i-2", epoch: 1, checks: [...checks.values()] }),
  );
  const listed = (await desk.list()).secrets[0];
  expect(listed?.uptake?.map(({ name: one, state }) => `${one} ${state}`)).toEqual([
    "CLAWDINATOR-2 taken",
    "CLAWDINATOR-3 waiting",
  ]);
  const own: Check = { name: "secret openai-api-key", ok: true, detail: "CLAWDINATOR-3/openai-api-key version x" };
  await writeHeartbeat(store, heartbeatOf({ name: "CLAWDINATOR-3", instance: "i-3", epoch: 1, checks: [own] }));
  expect(await desk.act({ ...key, action: "confirm", value: null }, who)).toMatchObject({ changed: true });
  expect(existsSync(join(home, "secrets", "openai-api-key.previous"))).toBe(false);
});

test("an attempt that is repeated is announced and audited once, and no value is in the store", async () => {
  const { secrets, store } = await setUp();
  const audit = createAuditLog(store);
  const desk = createSecretsDesk({ secrets, fleet: { store, audit } });
  const who = { actor: "maintainer:1", surface: "cli" };
  for (let attempt = 0; attempt < 2; attempt++) {
    await desk.act({ ...key, action: "put", value: "the-secret-value" }, who);
  }
  const entries = await audit.list({ limit: 10 });
  expect(entries).toMatchObject([{ action: "secret.put", subject: "secret/openai-api-key", ...who }]);
  const everything = await Promise.all((await store.list("")).map((entry) => store.get(entry.key)));
  expect(JSON.stringify(everything)).not.toContain("the-secret-value");
});

function heartbeatOf(options: { name: string; instance: string; epoch: number; checks: Check[] }) {
  return {
    formatVersion: 1 as const,
    state: "ready" as const,
    revision: "0".repeat(40),
    image: "img",
    dirty: false,
    version: "1",
    pid: 1,
    mindPid: null,
    port: null,
    startedAt: 0,
    at: 0,
    phases: [],
    ...options,
  };
}
