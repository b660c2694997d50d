/** Refreshes the repository seeds in the bucket once a week; part of the fleet keeper's upkeep. */
import { join } from "node:path";
import { describeError } from "../../tools/errors.ts";
import type { AwsClients } from "../../tools/fleet/aws/clients.ts";
import { publishSeeds } from "../../tools/fleet/aws/seeds.ts";
import type { Json } from "../../tools/json.ts";
import type { Store } from "../../tools/store.ts";
import type { Log } from "../log.ts";

const key = "seeds/published";
const refreshMs = 7 * 24 * 3600 * 1000;
/** Between two looks at the record, and after a failure. */
const lookEveryMs = 3600 * 1000;

export interface SeedKeeper {
  /** Returns at once: publishing goes on in the background, one at a time. Never throws. */
  look(): void;
  /** Waits until nothing runs any more. */
  stop(): Promise<void>;
}

export function createSeedKeeper(options: {
  store: Store;
  clients: AwsClients;
  bucket: string;
  programRepository: string;
  fleetRepository: string;
  /** Local disk of this instance. */
  directory: string;
  environment: NodeJS.ProcessEnv;
  log: Log;
}): SeedKeeper {
  const { store, clients, bucket, environment, log } = options;
  const abort = new AbortController();
  let nextLook = 0;
  let running: Promise<void> | null = null;

  async function refresh(): Promise<void> {
    const record = (await store.get(key))?.value as { at: number } | undefined;
    const now = await store.now();
    if (record && now - record.at < refreshMs) return;
    const published = await publishSeeds({
      clients,
      bucket,
      seeds: [
        { name: "program", repository: options.programRepository },
        { name: "fleet", repository: options.fleetRepository },
      ],
      directory: join(options.directory, "seeds"),
      environment,
      signal: abort.signal,
    });
    const seeds = Object.fromEntries(published.map(({ name, revision, sha256 }) => [name, { revision, sha256 }]));
    await store.put(key, { formatVersion: 1, at: now, seeds } as unknown as Json);
    log("info", "the repository seeds are up to date", { seeds });
  }

  return {
    look() {
      if (running || abort.signal.aborted || performance.now() < nextLook) return;
      nextLook = performance.now() + lookEveryMs;
      running = refresh()
        .catch((error: unknown) => {
          if (abort.signal.aborted) return;
          log("warn", "the repository seeds could not be refreshed", { error: describeError(error).message });
        })
        .finally(() => {
          running = null;
        });
    },
    async stop() {
      abort.abort(new Error("the gateway stops"));
      await running;
    },
  };
}
