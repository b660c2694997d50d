import { appendFileSync, closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createAuditLog } from "../../../../agent/gateway/audit.ts";
import { openSqliteStore } from "../../../../agent/gateway/store/sqlite.ts";
import { rotateLogs } from "../../../../agent/gateway/upkeep/rotate-logs.ts";
import { createUpkeepKeeper } from "../../../../agent/gateway/upkeep/upkeep-keeper.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";
import { waitFor } from "../../../support/wait.ts";

test("a log that has grown is cut without losing a line, while its writer goes on", () => {
  const directory = temporaryDirectory();
  const path = join(directory, "mind.log");
  const writer = openSync(path, "a");
  onTestFinished(() => closeSync(writer));
  writeFileSync(join(directory, "notes.txt"), "x".repeat(500));
  appendFileSync(join(directory, "gateway.log"), "short\n");
  const lines = Array.from({ length: 100 }, (_, n) => `line ${n}\n`);
  const cuts: string[][] = [];
  for (const line of lines) {
    writeSync(writer, line);
    cuts.push(rotateLogs(directory, { bytes: 100, parts: 20 }));
  }
  expect(new Set(cuts.flat())).toEqual(new Set(["mind.log"]));
  const parts = readdirSync(directory).filter((name) => name.startsWith("mind.log."));
  const inOrder = parts.sort((a, b) => Number(b.slice(9)) - Number(a.slice(9)));
  const text = [...inOrder, "mind.log"].map((name) => readFileSync(join(directory, name), "utf8")).join("");
  expect(text).toBe(lines.join(""));
  expect(readFileSync(join(directory, "notes.txt"), "utf8")).toHaveLength(500);
});

test("only so many parts stay, and the newest ones", () => {
  const directory = temporaryDirectory();
  const path = join(directory, "gateway.log");
  for (let n = 0; n < 9; n++) {
    appendFileSync(path, `${n}`.repeat(11));
    expect(rotateLogs(directory, { bytes: 10, parts: 5 })).toEqual(["gateway.log"]);
  }
  expect(readdirSync(directory).sort()).toEqual([
    "gateway.log",
    ...[1, 2, 3, 4, 5].map((part) => `gateway.log.${part}`),
  ]);
  expect(readFileSync(path, "utf8")).toBe("");
  expect(readFileSync(`${path}.1`, "utf8")).toBe("8".repeat(11));
  expect(readFileSync(`${path}.5`, "utf8")).toBe("4".repeat(11));
});

test("a directory that is not there is no error", () => {
  expect(rotateLogs("/nonexistent/logs", { bytes: 1, parts: 1 })).toEqual([]);
});

test("a start comes first; then upkeep is done in the background, and a failure is tried again an hour later", async () => {
  const directory = temporaryDirectory();
  const store = await openSqliteStore({ path: join(directory, "store.sqlite") });
  onTestFinished(() => store.close());
  let [now, lists] = [0, 0];
  let isBroken = true;
  const warnings: string[] = [];
  const keeper = createUpkeepKeeper({
    store: {
      ...store,
      list: async (prefix) => {
        lists++;
        if (isBroken) throw new Error("the store does not answer");
        return store.list(prefix);
      },
    },
    audit: createAuditLog(store),
    instance: "i-1",
    provider: { kind: "local", list: async () => [], remove: async () => {} },
    directory,
    logs: join(directory, "logs"),
    log: (level, message) => void (level === "warn" && warnings.push(message)),
    monotonic: () => now,
  });
  onTestFinished(() => keeper.stop());
  const minutes = (count: number): void => {
    now += count * 60_000;
    keeper.look();
  };
  minutes(0);
  minutes(9);
  expect(lists).toBe(0);
  minutes(1);
  await waitFor(() => warnings.length === 1);
  isBroken = false;
  const before = lists;
  minutes(59);
  expect(lists).toBe(before);
  minutes(1);
  await waitFor(async () => (await store.get("upkeep/state")) !== null);
  expect(warnings).toHaveLength(1);
});
