/** One store with a clock that tests move, and as many gateways' schedules on it as a test wants. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { createInbox, type Inbox, type Message } from "../../../../agent/gateway/inbox.ts";
import { createPause } from "../../../../agent/gateway/pause.ts";
import { createJobRuns } from "../../../../agent/gateway/schedule/job-runs.ts";
import { createSchedule, type Schedule } from "../../../../agent/gateway/schedule/schedule.ts";
import type { RunEvent } from "../../../../agent/protocol.ts";
import type { JobOutcome } from "../../../../agent/schedule.ts";
import { giveName } from "../../../../tools/fleet/names.ts";
import { readAll, type Store } from "../../../../tools/store.ts";
import { openPainters, type Painters } from "../../../support/painting.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

export const hourly = { id: "hourly", cron: "0 * * * *", prompt: "look around" };

export interface Gateway {
  name: string;
  schedule: Schedule;
  /** What it logged, as `message reason`. */
  logged: string[];
  holds: { name: boolean };
  write(jobs: unknown): void;
  writeText(text: string): void;
  look(): Promise<void>;
  outcomes(job: string): Promise<JobOutcome[]>;
}

export interface Desk {
  painters: Painters;
  store: Store;
  inbox: Inbox;
  setPaused(paused: boolean): Promise<void>;
  /** Sets the store's clock. */
  at(time: string): void;
  /** `through` is the store as this gateway sees it. */
  start(name?: string, jobs?: unknown[], through?: Store): Promise<Gateway>;
  /** Every message that waits, of all names. */
  messages(): Promise<Message[]>;
  /** Has the instance that got a message answer it. */
  answer(id: string, text: string, error?: Extract<RunEvent, { type: "error" }>): Promise<void>;
}

export async function openDesk(): Promise<Desk> {
  const directory = temporaryDirectory();
  const painters = await openPainters({ path: join(directory, "store.sqlite") });
  onTestFinished(() => painters.close());
  let now = Date.parse("2026-06-01T10:30:00Z");
  const store: Store = { ...painters.store, now: async () => now };
  const inbox = createInbox(store);
  const pause = createPause(store);
  let started = 0;
  const messages = async () =>
    (await readAll(store, "messages/"))
      .map((entry) => entry.value as unknown as Message)
      .sort((a, b) => (a.id < b.id ? -1 : 1));

  return {
    painters,
    store,
    inbox,
    messages,
    setPaused: (paused) => pause.set(paused, { id: "1", name: "Person 1" }),
    at(time) {
      now = Date.parse(time);
    },
    async start(name = "CLAWDINATOR-1", jobs = [hourly], through = store) {
      started += 1;
      const instance = `i-00000000000${started}`;
      const holder = ((await store.get(`names/${name}`))?.value as { holder?: string } | undefined)?.holder ?? null;
      await giveName(store, { name, to: instance, from: holder, leaseMs: 1e12 });
      const workspace = join(directory, "workspaces", name);
      const own = join(directory, "instances", name);
      for (const path of [workspace, own]) mkdirSync(path, { recursive: true });
      const file = join(workspace, "cron-jobs.json");
      const logged: string[] = [];
      const holds = { name: true };
      let monotonic = 0;
      const schedule = createSchedule({
        store: through,
        name,
        workspace,
        directory: own,
        runs: createJobRuns({
          store,
          name,
          inbox,
          approvals: painters.approvals,
          operation: (id) => painters.operations.get(id),
          onStarted: () => {},
        }),
        takeConversation: inbox.takeConversation,
        isPaused: pause.isPaused,
        holdsName: () => holds.name,
        wake: () => {},
        log: (_level, message, fields) => logged.push(`${message} ${String(fields?.problem ?? fields?.why ?? "")}`),
        // Each look is long after the one before, so that nothing waits for its turn.
        monotonic: () => (monotonic += 60_000),
      });
      onTestFinished(() => schedule.stop());
      const gateway: Gateway = {
        name,
        schedule,
        logged,
        holds,
        write: (list) => gateway.writeText(JSON.stringify({ formatVersion: 1, jobs: list })),
        writeText: (text) => writeFileSync(file, text),
        look: () => schedule.look(),
        outcomes: async (job) => (await schedule.view()).jobs.find(({ id }) => id === job)?.outcomes ?? [],
      };
      if (jobs.length > 0) gateway.write(jobs);
      await gateway.look();
      return gateway;
    },
    async answer(id, text, error) {
      const message = (await messages()).find((one) => one.id === id);
      if (!message) throw new Error(`no message ${id} waits`);
      const record = (await store.get(`names/${message.to}`))?.value as unknown as { holder: string; epoch: number };
      const holder = { instance: record.holder, epoch: record.epoch };
      const claim = await inbox.claim(message, holder);
      if (claim !== "claimed" && claim !== "resumed") throw new Error(`${id} is ${claim}`);
      const usage = { turns: 1, inputTokens: 0, outputTokens: 0, usd: 0 };
      const reason = error ? ("failed" as const) : ("answered" as const);
      await inbox.answer(message, holder, {
        proposals: [],
        error: error ?? null,
        done: { type: "done", reason, text, usage },
      });
    },
  };
}
