/** What every secrets' store promises, whatever it keeps them in. */
import { generateKeyPairSync } from "node:crypto";
import { expect, test } from "vitest";
import { readSecret, type SecretStore } from "../../../tools/secrets/secrets.ts";

const shared = { name: "discord-token", instance: null };
const own = { name: "discord-token", instance: "CLAWDINATOR-2" };

export function secretStoreContract(open: () => Promise<SecretStore> | SecretStore): void {
  test("keeps a value, lists it without showing it, and gives another version with every other value", async () => {
    const store = await open();
    expect(await store.read(shared)).toBeNull();
    const first = await store.put(shared, "first-value");
    expect(first).toMatchObject({ created: true, changed: true, info: { ...shared, previous: null } });
    const second = await store.put(shared, "second-value");
    expect(second).toMatchObject({ created: false, changed: true });
    expect(second.info.version).not.toBe(first.info.version);
    expect(await store.read(shared)).toMatchObject({ value: "second-value", info: { version: second.info.version } });
    const listed = await store.list();
    expect(listed).toEqual([second.info]);
    expect(listed[0]?.previous).not.toBeNull();
    expect(JSON.stringify(listed)).not.toMatch(/first-value|second-value/);
  });

  test("leaves everything as it is when the same value is put again", async () => {
    const store = await open();
    const first = await store.put(shared, "value");
    expect(await store.put(shared, "value")).toEqual({ info: first.info, created: false, changed: false });
    await store.put(shared, "next");
    await store.put(shared, "next");
    expect((await store.restore(shared)).version).toBeTruthy();
    expect((await store.read(shared))?.value).toBe("value");
  });

  test("gives an instance its own before the shared one", async () => {
    const store = await open();
    await store.put(shared, "for all");
    const ofTwo = await store.put(own, "for two");
    expect((await readSecret(store, { name: shared.name, instance: "CLAWDINATOR-2" }))?.value).toBe("for two");
    expect((await readSecret(store, { name: shared.name, instance: "CLAWDINATOR-1" }))?.value).toBe("for all");
    const seen = await store.look({ instance: "CLAWDINATOR-2", names: [shared.name] });
    expect(seen.get(shared.name)?.version).toBe(ofTwo.info.version);
    expect((await store.list()).map(({ instance }) => instance)).toEqual([null, "CLAWDINATOR-2"]);
  });

  test("keeps the value before until it is confirmed, and brings it back when asked", async () => {
    const store = await open();
    await store.put(shared, "old");
    await expect(store.restore(shared)).rejects.toMatchObject({ code: "no_previous" });
    await store.put(shared, "new");
    await store.restore(shared);
    expect((await store.read(shared))?.value).toBe("old");
    await store.restore(shared);
    expect((await store.read(shared))?.value).toBe("new");
    expect(await store.confirm(shared)).toBe(true);
    expect(await store.confirm(shared)).toBe(false);
    await expect(store.restore(shared)).rejects.toMatchObject({ code: "no_previous" });
    expect((await store.list())[0]?.previous).toBeNull();
  });

  test("rotates only what there is", async () => {
    const store = await open();
    await expect(store.put(shared, "x", { mustExist: true })).rejects.toMatchObject({ code: "unknown_secret" });
    expect(await store.list()).toEqual([]);
    await store.put(shared, "x");
    expect(await store.put(shared, "y", { mustExist: true })).toMatchObject({ changed: true, created: false });
  });

  test("keeps a private key's lines exactly", async () => {
    const store = await open();
    const pem = privateKey();
    await store.put({ name: "github-app-pem", instance: null }, pem);
    expect((await store.read({ name: "github-app-pem", instance: null }))?.value).toBe(pem);
  });
}

export function privateKey(): string {
  const { privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}
