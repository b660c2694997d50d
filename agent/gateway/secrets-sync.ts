/**
 * Keeps a directory of secret files in step with the secrets' store, so that a new value reaches a running instance
 * without a restart: a look now and then, and one at once when the coordination store says that a secret changed.
 */
import { describeError } from "../../tools/errors.ts";
import type { Check } from "../../tools/fleet/model.ts";
import { readChanges, removedCheck, type SecretChange, takenCheck } from "../../tools/secrets/changes.ts";
import {
  knownSecrets,
  readSecret,
  type SecretInfo,
  type SecretStore,
  secretPath,
  withoutValue,
} from "../../tools/secrets/secrets.ts";
import type { Store } from "../../tools/store.ts";
import type { Log } from "../log.ts";
import type { SecretsDirectory } from "./secrets-directory.ts";

/**
 * One ListSecrets each time: 8,800 a month, $0.04 at $0.05 per 10,000 calls. A role that may not list asks for each of
 * the four usual names, shared and own: $0.35.
 */
const lookIntervalMs = 5 * 60_000;
/** Reads of the one record that announces changes, while others change the store: at most $0.08 a month on S3. */
const signalIntervalMs = 15_000;
/** A look that failed is made again sooner. */
const retryMs = 30_000;
/** So many in a row may fail before the check does: what was taken up stays good. */
const toleratedFailures = 3;
/** An announced version is not asked for longer than this; the next look finds it anyway. */
const invisibleMs = 2 * 60_000;

export interface SecretsSync {
  /** Looks now. Never throws: the check `secrets` says what failed. */
  look(): Promise<void>;
  stop(): Promise<void>;
}

export interface SecretsSyncOptions {
  secrets: SecretStore;
  /** Where changes are announced. */
  store: Store;
  directory: SecretsDirectory;
  /** CLAWDINATOR-n, whose own secrets go before the shared ones. */
  name: string;
  onCheck(check: Check): void;
  log: Log;
  intervalMs?: number;
  signalIntervalMs?: number;
}

/** Starts with a look; `look()` awaits it. */
export function startSecretsSync(options: SecretsSyncOptions): SecretsSync {
  const { secrets, store, directory, name, onCheck, log } = options;
  const intervalMs = options.intervalMs ?? lookIntervalMs;
  const signalMs = options.signalIntervalMs ?? signalIntervalMs;
  const taken = new Map<string, SecretInfo>();
  let failures = 0;
  let hasLooked = false;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  /** One at a time: both kinds of look write the same files. */
  let last: Promise<void> = Promise.resolve();
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const done = last.then(() => (isStopped ? undefined : work()));
    last = done.catch(() => {});
    return done;
  };

  /** Reads it and puts it in place; what an instance reads of a name is null where there is none. */
  const take = async (secret: string): Promise<SecretInfo | null> => {
    const found = await readSecret(secrets, { name: secret, instance: name });
    if (!found) return null;
    const { info, value } = found;
    const before = taken.get(secret);
    // Its own was passed over: that must be because it is gone, not because it may not be read for a while.
    if (before?.instance === name && info.instance === null) await secrets.read({ name: secret, instance: name });
    const isNews = await withoutValue(value, async () => directory.write(secret, value));
    taken.set(secret, info);
    onCheck(takenCheck(info));
    if (isNews || before?.version !== info.version) {
      log("info", "secret.taken", { secret: secretPath(info), version: info.version, file: directory.fileOf(secret) });
    }
    return info;
  };

  const drop = (secret: string): void => {
    directory.remove(secret);
    taken.delete(secret);
    onCheck(removedCheck({ name: secret, instance: null }));
    log("info", "secret.removed", { secret, file: directory.fileOf(secret) });
  };

  /** Each secret for itself: one that cannot be read must not keep the others back. */
  const forEach = async (list: readonly string[], work: (secret: string) => Promise<unknown>): Promise<string[]> => {
    const problems: string[] = [];
    for (const secret of list) {
      try {
        await work(secret);
      } catch (error) {
        problems.push(`${secret}: ${describeError(error).message}`);
      }
    }
    return problems;
  };

  /** For a store that tells only of what it is asked for: what is usual, what was announced, and what is here. */
  const wantedNames = async (): Promise<string[]> => {
    const { changes } = await readChanges(store);
    const announced = changes.filter(({ instance }) => instance === null || instance === name);
    return [...new Set([...knownSecrets, ...announced].map((one) => one.name).concat(directory.written()))];
  };

  const lookAtAll = async (): Promise<void> => {
    let problems: string[];
    try {
      directory.prepare();
      const seen = await secrets.look({ instance: name, names: await wantedNames() });
      const isCurrent = ([secret, info]: [string, SecretInfo]): boolean =>
        sameVersion(taken.get(secret), info) && directory.has(secret);
      const news = [...seen].filter((one) => !isCurrent(one)).map(([secret]) => secret);
      // A list may be minutes old, so what it lacks is asked for by name before its file goes.
      const missing = directory.written().filter((secret) => !seen.has(secret));
      problems = [
        ...(await forEach(news, take)),
        ...(await forEach(missing, async (secret) => {
          if ((await take(secret)) === null) drop(secret);
        })),
      ];
    } catch (error) {
      const { message, hint } = describeError(error);
      problems = [`${message}; ${hint}`];
    }
    failures = problems.length > 0 ? failures + 1 : 0;
    hasLooked ||= problems.length === 0;
    report(problems);
    plan(problems.length > 0 ? Math.min(retryMs, intervalMs) : intervalMs);
  };

  const report = (problems: readonly string[]): void => {
    if (problems.length === 0) {
      onCheck({ name: "secrets", ok: true, detail: `${taken.size} from ${secrets.place} in ${directory.path}` });
      return;
    }
    log("warn", "secrets.look_failed", { problems });
    const ok = hasLooked && failures < toleratedFailures;
    if (!ok) onCheck({ name: "secrets", ok, detail: problems.join("; ") });
  };

  const plan = (afterMs: number): void => {
    clearTimeout(timer);
    if (isStopped) return;
    // Jitter: the instances of a fleet that booted together must not ask together for ever.
    timer = setTimeout(() => void inTurn(lookAtAll), afterMs * (0.8 + Math.random() * 0.4));
    timer.unref();
  };

  const signals = followChanges({
    store,
    intervalMs: signalMs,
    log,
    isOpen: (change) =>
      (change.instance === null || change.instance === name) && !sameVersion(taken.get(change.name), change),
    takeUp: async (change) => {
      let found: SecretInfo | null = null;
      await inTurn(async () => {
        directory.prepare();
        found = await take(change.name);
      });
      return isSettled(change, found);
    },
  });

  void inTurn(lookAtAll);
  return {
    look: () => inTurn(lookAtAll),
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      signals.stop();
      await last;
    },
  };
}

function sameVersion(a: Pick<SecretInfo, "instance" | "version"> | undefined, b: typeof a): boolean {
  return a !== undefined && b !== undefined && a.instance === b.instance && a.version === b.version;
}

/** Whether what was read is what was announced, goes before it, or is newer still. */
function isSettled(change: SecretChange, found: SecretInfo | null): boolean {
  if (found === null) return false;
  if (found.instance !== change.instance || found.version === change.version) return true;
  return found.changedAt !== null && change.at !== null && found.changedAt > change.at;
}

/** Looks at the announcements when the store changed, at most once an interval, until each is taken up. */
function followChanges(options: {
  store: Store;
  intervalMs: number;
  log: Log;
  isOpen(change: SecretChange): boolean;
  /** Whether nothing is left to do about it. */
  takeUp(change: SecretChange): Promise<boolean>;
}): { stop(): void } {
  const { store, intervalMs } = options;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let lastLook = Number.NEGATIVE_INFINITY;
  let settled: string | null = null;
  /** Since the look that runs has begun. */
  let hasChanged = false;
  let pending: { seen: string; since: number } | null = null;

  const look = async (): Promise<boolean> => {
    const { seen, changes } = await readChanges(store);
    if (seen === null || seen === settled) return true;
    if (pending?.seen !== seen) pending = { seen, since: performance.now() };
    let isDone = true;
    for (const change of changes.filter(options.isOpen)) isDone = (await options.takeUp(change)) && isDone;
    if (isDone || performance.now() - pending.since > invisibleMs) settled = seen;
    return settled === seen;
  };

  const run = async (): Promise<void> => {
    lastLook = performance.now();
    hasChanged = false;
    const isDone = await look().catch((error: unknown) => {
      options.log("warn", "secrets.signal_failed", { error: describeError(error).message });
      return false;
    });
    timer = undefined;
    if (!isDone || hasChanged) schedule();
  };

  const schedule = (): void => {
    hasChanged = true;
    if (timer || isStopped) return;
    timer = setTimeout(() => void run(), Math.max(0, lastLook + intervalMs - performance.now()));
    timer.unref();
  };
  const stopWatching = store.watch(schedule);
  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
      stopWatching();
    },
  };
}
