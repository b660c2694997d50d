/** A process of its own that works on a store; the contract suite starts it, talks to it and kills it. */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Store } from "../../tools/store.ts";

/** How any process opens the same store: plain data, so that it can be handed to a child. */
export interface StoreOpener {
  /** `file:` address of the module, and the name of its function that takes `options`. */
  module: string;
  function: string;
  options: unknown;
}

export type StoreTask =
  /** Adds one to `counter` so many times, each by compare-and-swap. */
  | { task: "increment"; times: number }
  /** Tries to create each key once. Prints the keys that it won. */
  | { task: "create"; keys: string[]; as: string }
  | { task: "put"; key: string; value: string }
  | { task: "now" }
  /** Puts `log/N` = N without end. Prints each acknowledged `{ key, value, version }`. */
  | { task: "write_forever" };

export async function openStore(opener: StoreOpener): Promise<Store> {
  const module = (await import(opener.module)) as Record<string, (options: unknown) => Promise<Store>>;
  const open = module[opener.function];
  if (!open) throw new Error(`${opener.module} does not export ${opener.function}`);
  return open(opener.options);
}

/** One line of JSON, out of this process before it goes on: what is printed was acknowledged. */
function print(value: unknown): void {
  writeSync(1, `${JSON.stringify(value)}\n`);
}

async function perform(store: Store, task: StoreTask): Promise<void> {
  switch (task.task) {
    case "increment": {
      for (let done = 0; done < task.times; ) {
        const entry = await store.get("counter");
        const next = Number(entry?.value ?? 0) + 1;
        const result = await store.put("counter", next, entry ? { ifVersion: entry.version } : { ifAbsent: true });
        if (!result.written) continue;
        done++;
        print(result.version);
      }
      return;
    }
    case "create":
      for (const key of task.keys) {
        const result = await store.put(key, task.as, { ifAbsent: true });
        if (result.written) print(key);
      }
      return;
    case "put":
      return print(await store.put(task.key, task.value));
    case "now":
      return print(await store.now());
    case "write_forever":
      for (let value = 0; ; value++) {
        const key = `log/${value}`;
        const result = await store.put(key, value);
        print({ key, value, version: result.written ? result.version : null });
      }
  }
}

if (import.meta.main) {
  const { opener, task } = JSON.parse(process.argv[2] ?? "") as { opener: StoreOpener; task: StoreTask };
  const store = await openStore(opener);
  print("ready");
  // The parent says when, so that several begin together.
  const input = createInterface({ input: process.stdin });
  await new Promise<void>((resolve) => input.once("line", () => resolve()));
  input.close();
  process.stdin.unref?.();
  await perform(store, task);
  await store.close();
}
