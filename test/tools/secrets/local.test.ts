import { chmodSync, mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openLocalSecrets } from "../../../tools/secrets/local.ts";
import { normalizeSecret, withoutValue } from "../../../tools/secrets/secrets.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { privateKey, secretStoreContract } from "./contract.ts";

const shared = { name: "discord-token", instance: null };

function openFresh(environment: NodeJS.ProcessEnv = {}) {
  const directory = join(temporaryDirectory(), "secrets");
  return { directory, store: openLocalSecrets({ directory, environment }) };
}

describe("files of this machine", () => {
  secretStoreContract(() => openFresh().store);

  test("only this user can read the directory and its files", async () => {
    const { directory, store } = openFresh();
    await store.put({ name: "discord-token", instance: "CLAWDINATOR-2" }, "one");
    await store.put({ name: "discord-token", instance: "CLAWDINATOR-2" }, "two");
    const modes = ["", "CLAWDINATOR-2", "CLAWDINATOR-2/discord-token", "CLAWDINATOR-2/discord-token.previous"].map(
      (path) => statSync(join(directory, path)).mode & 0o777,
    );
    expect(modes).toEqual([0o700, 0o700, 0o600, 0o600]);
  });

  test("refuses a file that others can read, and a directory that they can look into", async () => {
    const { directory, store } = openFresh();
    await store.put(shared, "value");
    chmodSync(join(directory, "discord-token"), 0o640);
    await expect(store.read(shared)).rejects.toMatchObject({
      code: "secret_exposed",
      hint: expect.stringContaining("chmod 600"),
    });
    await expect(store.list()).rejects.toMatchObject({ code: "secret_exposed" });
    chmodSync(join(directory, "discord-token"), 0o600);
    chmodSync(directory, 0o755);
    await expect(store.put(shared, "other")).rejects.toMatchObject({ code: "secret_exposed" });
  });

  test("shows the usual variables of the environment where there is no file", async () => {
    const { store } = openFresh({ ANTHROPIC_API_KEY: "from-the-environment", OPENAI_API_KEY: "" });
    const ref = { name: "anthropic-api-key", instance: null };
    expect(await store.list()).toMatchObject([
      { ...ref, source: "environment", version: "variable ANTHROPIC_API_KEY" },
    ]);
    expect((await store.read(ref))?.value).toBe("from-the-environment");
    await expect(store.put(ref, "x", { mustExist: true })).rejects.toMatchObject({ code: "unknown_secret" });
    await store.put(ref, "from-a-file");
    expect(await store.list()).toMatchObject([{ source: "file" }]);
    expect((await store.read(ref))?.value).toBe("from-a-file");
  });

  test("goes on where a restore was killed between its two writes", async () => {
    const { directory, store } = openFresh();
    await store.put(shared, "good");
    await store.put(shared, "bad");
    // What is there after the first write: both names say the same, and what was current lies aside.
    writeFileSync(join(directory, "discord-token.aside"), "bad", { mode: 0o600 });
    writeFileSync(join(directory, "discord-token"), "good", { mode: 0o600 });
    await store.restore(shared);
    expect((await store.read(shared))?.value).toBe("good");
    await store.restore(shared);
    expect((await store.read(shared))?.value).toBe("bad");
    expect(readdirSync(directory).sort()).toEqual(["discord-token", "discord-token.previous"]);
  });

  test("clears away what a killed write left, and lists no file that is not a secret", async () => {
    const { directory, store } = openFresh();
    mkdirSync(directory, { mode: 0o700 });
    const leftover = join(directory, "discord-token.0123456789ab.tmp");
    writeFileSync(leftover, "half", { mode: 0o600 });
    utimesSync(leftover, new Date(0), new Date(0));
    writeFileSync(join(directory, "README"), "notes", { mode: 0o600 });
    await store.put(shared, "value");
    expect(readdirSync(directory).sort()).toEqual(["README", "discord-token"]);
    expect((await store.list()).map(({ name }) => name)).toEqual(["discord-token"]);
  });
});

describe("values as people hand them over", () => {
  test("lose the line end, but for a private key", () => {
    const pem = privateKey();
    expect(normalizeSecret("discord-token", "abc.def\n")).toBe("abc.def");
    expect(normalizeSecret("my-own", "abc \r\n")).toBe("abc ");
    expect(normalizeSecret("github-app-pem", pem)).toBe(pem);
  });

  test.each([
    ["discord-token", "\n"],
    ["discord-token", "two words"],
    ["discord-token", "two\nlines"],
    ["my-own", "a\0b"],
    ["my-own", "x".repeat(65_537)],
    ["github-app-pem", "ghp_value"],
    ["github-app-pem", "-----BEGIN RSA PRIVATE KEY-----\nvalue\n-----END RSA PRIVATE KEY-----\n"],
  ])("that cannot be right are refused without being shown: %s", (name, text) => {
    const refusal = (): unknown => {
      try {
        return normalizeSecret(name, text);
      } catch (error) {
        return error;
      }
    };
    expect(refusal()).toMatchObject({ code: "secret_malformed", hint: expect.stringMatching(/./) });
    expect(String(refusal())).not.toContain("value\n");
    expect(String((refusal() as Error).message)).not.toContain("ghp_value");
  });

  test("are taken out of errors and of what caused them", async () => {
    const value = 'se"cret\nvalue';
    const cause = new Error(`could not send {"SecretString":${JSON.stringify(value)}}`);
    const error = await withoutValue(value, () => Promise.reject(new Error(`no: ${value}`, { cause }))).catch(
      (caught: unknown) => caught as Error,
    );
    expect((error as Error).message).toBe("no: [secret]");
    expect(((error as Error).cause as Error).message).toContain("[secret]");
    expect((error as Error).stack).not.toContain("value");
  });
});
