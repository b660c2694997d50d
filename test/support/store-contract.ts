/** The suite that every implementation of tools/store.ts must pass. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Json } from "../../tools/json.ts";
import { readAll, type Store, update } from "../../tools/store.ts";
import { openStore, type StoreOpener, type StoreTask } from "./store-process.ts";

const processFile = fileURLToPath(new URL("./store-process.ts", import.meta.url));

/** How far a store's clock may seem to go apart between processes: an object store's tells whole seconds. */
const clockResolutionMs = 2000;

/** How soon a change of another process must be told. */
const watchDeadlineMs = 5000;

export interface StoreUnderTest {
  opener: StoreOpener;
  /** Removes the store's data. */
  remove(): Promise<void>;
}

/** `prepare` makes a new, empty store each time. */
export function describeStoreContract(name: string, prepare: () => Promise<StoreUnderTest>): void {
  describe(`${name} keeps the store's contract`, () => {
    let underTest: StoreUnderTest;
    let store: Store;
    const children: StoreChild[] = [];

    const start = async (task: StoreTask): Promise<StoreChild> => {
      const child = await startStoreChild(underTest.opener, task);
      children.push(child);
      return child;
    };
    const reopen = async (): Promise<void> => {
      await store.close();
      store = await openStore(underTest.opener);
    };

    beforeEach(async () => {
      underTest = await prepare();
      store = await openStore(underTest.opener);
    });
    afterEach(async () => {
      await Promise.all(children.splice(0).map((child) => child.kill()));
      await store.close();
      await underTest.remove();
    });

    test("an absent key reads as null, is not listed and cannot be deleted", async () => {
      expect(await store.get("nothing")).toBeNull();
      expect(await store.list("")).toEqual([]);
      expect(await store.delete("nothing")).toBe(false);
      expect(await store.delete("nothing", { ifVersion: "1" })).toBe(false);
    });

    test("a put without condition creates, then replaces", async () => {
      const first = await versionOf(store.put("key", "one"));
      expect(await store.get("key")).toEqual({ key: "key", value: "one", version: first });
      const second = await versionOf(store.put("key", "two"));
      expect(second).not.toBe(first);
      expect(await store.get("key")).toEqual({ key: "key", value: "two", version: second });
    });

    test("ifAbsent creates once, and then answers with what stands there", async () => {
      const version = await versionOf(store.put("key", "mine", { ifAbsent: true }));
      expect(await store.put("key", "yours", { ifAbsent: true })).toEqual({
        written: false,
        current: { key: "key", value: "mine", version },
      });
      expect(await store.get("key")).toEqual({ key: "key", value: "mine", version });
    });

    test("ifVersion replaces exactly that state, and otherwise answers with what stands there", async () => {
      const first = await versionOf(store.put("key", 1));
      const second = await versionOf(store.put("key", 2, { ifVersion: first }));
      expect(await store.put("key", 3, { ifVersion: first })).toEqual({
        written: false,
        current: { key: "key", value: 2, version: second },
      });
      expect(await store.put("other", 1, { ifVersion: second })).toEqual({ written: false, current: null });
      expect(await store.list("")).toEqual([{ key: "key", version: second }]);
    });

    test("a delete takes the key away; with ifVersion only in exactly that state", async () => {
      const first = await versionOf(store.put("key", 1));
      const second = await versionOf(store.put("key", 2));
      expect(await store.delete("key", { ifVersion: first })).toBe(false);
      expect((await store.get("key"))?.value).toBe(2);
      expect(await store.delete("key", { ifVersion: second })).toBe(true);
      expect(await store.get("key")).toBeNull();
      expect(await store.list("")).toEqual([]);
      await store.put("key", 3);
      expect(await store.delete("key")).toBe(true);
      expect(await store.delete("key")).toBe(false);
    });

    test("a version is never used twice: not after a delete, not for an equal value, not after opening again", async () => {
      const versions: string[] = [];
      for (let round = 0; round < 4; round++) {
        versions.push(await versionOf(store.put("key", "same")), await versionOf(store.put("key", "same")));
        await store.delete("key");
        await reopen();
        versions.push(await versionOf(store.put("key", "same", { ifAbsent: true })));
        if (round % 2 === 0) await store.delete("key");
      }
      expect(new Set(versions).size).toBe(versions.length);
    });

    test("the version of a deleted state does not match the state that was put after it", async () => {
      const old = await versionOf(store.put("key", "same"));
      await store.delete("key");
      await reopen();
      const version = await versionOf(store.put("key", "same"));
      expect(await store.put("key", "late", { ifVersion: old })).toEqual({
        written: false,
        current: { key: "key", value: "same", version },
      });
      expect(await store.delete("key", { ifVersion: old })).toBe(false);
    });

    test("lists the keys below a prefix in bytewise order, whatever characters they have", async () => {
      const names = [
        "_",
        "%",
        "*",
        "?",
        "[a]",
        "'",
        '"',
        " ",
        ".",
        "-",
        "0",
        "10",
        "2",
        "A",
        "a",
        "Z",
        "z",
        "aa",
        "a/b",
        "é",
        "ü",
        "\ufffd",
        "😀",
      ];
      const below = names.map((suffix) => `p_%/${suffix}`);
      const beside = ["p", "p_%", "pXY/a", "P_%/a", "p_%0", "q"];
      const versions = new Map<string, string>();
      for (const key of [...below, ...beside].reverse()) versions.set(key, await versionOf(store.put(key, key)));
      const expected = (keys: string[]): { key: string; version: string | undefined }[] =>
        keys
          .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
          .map((key) => ({ key, version: versions.get(key) }));

      expect(await store.list("p_%/")).toEqual(expected(below));
      expect(await store.list("p_%/a")).toEqual(expected(["p_%/a", "p_%/a/b", "p_%/aa"]));
      expect(await store.list("p_%/😀")).toEqual(expected(["p_%/😀"]));
      expect(await store.list("")).toEqual(expected([...below, ...beside]));
      expect(await store.list("p_%/nothing")).toEqual([]);
      expect((await readAll(store, "p_%/")).map((entry) => entry.value)).toEqual(expected(below).map(({ key }) => key));
    });

    test("values come back as they were put", async () => {
      const values: Json[] = [
        null,
        false,
        0,
        -1.5e-7,
        Number.MAX_SAFE_INTEGER,
        "",
        'quote " slash \\ line\n zero \u0000 é 😀 \u2028',
        [],
        {},
        { "": [null, [[]], { "key with . and /": { deep: [1, "2", true] } }] },
        "x".repeat(1_000_000),
      ];
      for (const [index, value] of values.entries()) await store.put(`value/${index}`, value);
      await reopen();
      for (const [index, value] of values.entries()) expect((await store.get(`value/${index}`))?.value).toEqual(value);
    });

    test("a value that changes after it was put or read does not change in the store", async () => {
      const value = { list: [1] };
      await store.put("key", value);
      value.list.push(2);
      const read = (await store.get("key"))?.value as typeof value;
      read.list.push(3);
      expect((await store.get("key"))?.value).toEqual({ list: [1] });
    });

    test("its clock does not go back, and processes share it", async () => {
      const child = await start({ task: "now" });
      const times = [await store.now(), await store.now()];
      const [elsewhere] = (await child.finish()) as number[];
      times.push(await store.now());
      expect([...times].sort((a, b) => a - b)).toEqual(times);
      expect(elsewhere).toBeGreaterThanOrEqual((times[0] ?? 0) - clockResolutionMs);
      expect(elsewhere).toBeLessThanOrEqual((times[2] ?? 0) + clockResolutionMs);
    });

    test("watch tells of another process's change, which can be read by then", async () => {
      const child = await start({ task: "put", key: "news", value: "from elsewhere" });
      const seen = Promise.withResolvers<Json>();
      const stop = store.watch(() => {
        store.get("news").then((entry) => entry && seen.resolve(entry.value), seen.reject);
      });
      await child.finish();
      expect(await within(watchDeadlineMs, seen.promise, "no call back")).toBe("from elsewhere");
      stop();
    });

    test("watch tells of this process's own change, and no more after it was stopped", async () => {
      const calls = { kept: 0, stopped: 0 };
      const told = Promise.withResolvers<void>();
      const stop = store.watch(() => calls.stopped++);
      const keep = store.watch(() => {
        calls.kept++;
        told.resolve();
      });
      stop();
      await store.put("key", 1);
      await within(watchDeadlineMs, told.promise, "no call back");
      keep();
      expect(calls.kept).toBeGreaterThan(0);
      expect(calls.stopped).toBe(0);
    });

    test("concurrent processes that count by compare-and-swap lose no increment", async () => {
      const times = 50;
      const workers = await Promise.all([1, 2, 3, 4].map(() => start({ task: "increment", times })));
      const versions = (await Promise.all(workers.map((worker) => worker.finish()))).flat();
      expect((await store.get("counter"))?.value).toBe(workers.length * times);
      expect(new Set(versions).size).toBe(workers.length * times);
    });

    test("of concurrent processes that create a key exactly one wins", async () => {
      const keys = Array.from({ length: 30 }, (_, index) => `prize/${index}`);
      const workers = await Promise.all(["a", "b", "c", "d"].map((as) => start({ task: "create", keys, as })));
      const won = await Promise.all(workers.map((worker) => worker.finish()));
      expect(won.flat().sort()).toEqual([...keys].sort());
      for (const [index, as] of ["a", "b", "c", "d"].entries()) {
        for (const key of won[index] as string[]) expect((await store.get(key))?.value).toBe(as);
      }
    });

    test("update applies every change of concurrent writers", async () => {
      const other = await openStore(underTest.opener);
      const add = (to: Store): Promise<unknown> => update<number>(to, "sum", (current) => (current ?? 0) + 1);
      await Promise.all(Array.from({ length: 20 }, (_, index) => add(index % 2 ? store : other)));
      await other.close();
      expect((await store.get("sum"))?.value).toBe(20);
    });

    test("after kill -9 of a writer every write that it saw acknowledged is there, and the store works on", async () => {
      for (const acknowledgements of [1, 40, 120]) {
        const writer = await start({ task: "write_forever" });
        writer.go();
        await writer.printed(acknowledgements);
        await writer.kill();
        const acknowledged = writer.lines() as { key: string; value: number; version: string }[];
        expect(acknowledged.length).toBeGreaterThanOrEqual(acknowledgements);
        await reopen();
        for (const entry of acknowledged) expect(await store.get(entry.key)).toEqual(entry);
        // One more may have been written than was acknowledged, whole.
        const present = await readAll(store, "log/");
        for (const entry of present) expect(entry.key).toBe(`log/${entry.value}`);
        expect((await store.put("after", acknowledgements)).written).toBe(true);
        for (const { key } of present) await store.delete(key);
      }
    });
  });
}

async function versionOf(put: ReturnType<Store["put"]>): Promise<string> {
  const result = await put;
  if (!result.written) throw new Error(`not written: ${JSON.stringify(result.current)}`);
  return result.version;
}

async function within<T>(timeoutMs: number, promise: Promise<T>, message: string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${message} within ${timeoutMs} ms`)), timeoutMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A store process that is open and waits for `go`. */
interface StoreChild {
  go(): void;
  /** Lets it work to its end; returns what it printed. */
  finish(): Promise<unknown[]>;
  /** Resolves once it has printed so many lines. */
  printed(count: number): Promise<void>;
  lines(): unknown[];
  /** SIGKILL; resolves when it is gone and all its output has been read. */
  kill(): Promise<void>;
}

/** Starts a process on the store. */
async function startStoreChild(opener: StoreOpener, task: StoreTask): Promise<StoreChild> {
  const child: ChildProcess = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", processFile, JSON.stringify({ opener, task })],
    { stdio: ["pipe", "pipe", "pipe"] },
  );
  const lines: unknown[] = [];
  const waiting = new Set<() => void>();
  let errorText = "";
  let exitCode: number | null | undefined;
  child.stderr?.on("data", (chunk: Buffer) => {
    errorText += chunk;
  });
  child.stdin?.on("error", () => undefined);
  const wake = (): void => {
    for (const look of waiting) look();
  };
  if (child.stdout) {
    createInterface({ input: child.stdout }).on("line", (line) => {
      // A line that the kill cut in two was not acknowledged.
      if (isJson(line)) lines.push(JSON.parse(line));
      wake();
    });
  }
  const closed = new Promise<void>((resolve) => {
    child.once("close", (code) => {
      exitCode = code;
      wake();
      resolve();
    });
  });
  const until = (isDone: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (!isDone() && exitCode === undefined) return;
        waiting.delete(look);
        if (isDone()) resolve();
        else reject(new Error(`the store process ended with code ${exitCode}: ${errorText}`));
      };
      waiting.add(look);
      look();
    });
  await until(() => lines[0] === "ready");
  return {
    go: () => void child.stdin?.write("go\n"),
    async finish() {
      child.stdin?.end("go\n");
      await closed;
      if (exitCode !== 0) throw new Error(`the store process ended with code ${exitCode}: ${errorText}`);
      return lines.slice(1);
    },
    printed: (count) => until(() => lines.length > count),
    lines: () => lines.slice(1),
    async kill() {
      child.kill("SIGKILL");
      await closed;
    },
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
