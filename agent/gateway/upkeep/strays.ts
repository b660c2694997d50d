/**
 * Directories of instances on this machine that stopped and that nothing names any more. An operation removes what it
 * replaces; what is left over is of machines that died in the middle. Their content can be rebuilt.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { FleetProvider } from "../../../tools/fleet/services.ts";

/** Somebody may want to read its logs. */
export const strayKeptMs = 30 * 24 * 3600 * 1000;

/** A removal or launch that is under way takes seconds. */
const asideKeptMs = 24 * 3600 * 1000;

/**
 * Removes those that were strays all the time for long enough. `since` says, by instance, when each was first seen to be
 * one; the result is what to hand in the next time. Never on a cloud, where a person decides about machines.
 */
export async function removeStrays(options: {
  provider: Pick<FleetProvider, "kind" | "list" | "remove">;
  /** `instances` of the state directory. */
  directory: string;
  /** Instances that hold a name, or tell that they are alive. */
  living: ReadonlySet<string>;
  since: Readonly<Record<string, number>>;
  now: number;
  signal: AbortSignal;
}): Promise<{ removed: number; since: Record<string, number> }> {
  const { provider, directory, living, now, signal } = options;
  if (provider.kind !== "local") return { removed: 0, since: {} };
  const since: Record<string, number> = {};
  let removed = 0;
  for (const { instance, image, liveness } of await provider.list()) {
    if (image === "checkout" || liveness !== "stopped" || living.has(instance)) continue;
    const first = options.since[instance] ?? now;
    if (now - first > strayKeptMs) {
      await provider.remove(instance, { graceMs: 0, signal });
      removed++;
    } else since[instance] = first;
  }
  for (const name of await readdir(directory).catch(() => [])) {
    if (!/^\.(removed|launching)-/.test(name)) continue;
    const path = join(directory, name);
    const changedAt = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => now,
    );
    if (now - changedAt > asideKeptMs) await rm(path, { recursive: true, force: true });
  }
  return { removed, since };
}
