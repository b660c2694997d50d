import { z } from "zod";
import type { FleetStatus, InstanceStatus } from "./fleet/model.ts";
import type { Json } from "./json.ts";
import { table } from "./text-table.ts";
import { defineReadTool } from "./tool.ts";

export const fleetStatus = defineReadTool({
  name: "fleet_status",
  description:
    "Shows every instance of the fleet: name, state, revision, image, epoch, address, age of its last heartbeat, and " +
    "what a booting or unhealthy one is stuck at.",
  input: z.strictObject({}),
  async run(context) {
    const status = await context.fleet.status();
    const { paused } = status;
    const why = paused?.reason ? `: ${paused.reason}` : "";
    const text = `${paused ? `The fleet is paused by ${paused.name}${why}.\n` : ""}${describeStatus(status)}`;
    return { text, data: status as unknown as Json };
  },
});

/** A model reads them all; of a larger fleet those come first that are not as they should be. */
const mostRows = 100;

function describeStatus(status: FleetStatus): string {
  const { instances } = status;
  if (instances.length === 0) return "No instance is there.";
  if (instances.length <= mostRows) return describeInstances(status, instances);
  const inOrder = [...instances.filter(isTroubled), ...instances.filter((instance) => !isTroubled(instance))];
  const shown = inOrder.slice(0, mostRows);
  const counts = Map.groupBy(instances, ({ state }) => state);
  const summary = [...counts].map(([state, those]) => `${those.length} ${state}`).join(", ");
  return [
    `${instances.length} instances: ${summary}.`,
    describeInstances(status, shown),
    `${instances.length - shown.length} more; \`clawdinator fleet status\` shows them all.`,
  ].join("\n");
}

function isTroubled(instance: InstanceStatus): boolean {
  return instance.state !== "ready" || instance.checks.some((check) => !check.ok);
}

function describeInstances(status: FleetStatus, instances: InstanceStatus[]): string {
  const rows = instances.map((instance) => [
    instance.instance === status.self.instance ? `${instance.name} (me)` : instance.name,
    instance.state,
    shortRevision(instance),
    instance.image === "checkout" ? "checkout" : instance.image.slice(0, 19),
    instance.epoch === null ? "–" : String(instance.epoch),
    instance.url ?? instance.machine ?? "–",
    instance.heartbeatAgeMs === null ? "never" : `${Math.round(instance.heartbeatAgeMs / 1000)} s ago`,
  ]);
  const header = ["name", "state", "revision", "image", "epoch", "address", "heartbeat"];
  return [table([header, ...rows]), ...instances.flatMap((instance) => troubles(instance))].join("\n");
}

function shortRevision(instance: InstanceStatus): string {
  const short = /^[0-9a-f]{40}$/.test(instance.revision) ? instance.revision.slice(0, 10) : instance.revision;
  return instance.dirty ? `${short} (with uncommitted changes)` : short;
}

/** What keeps an instance from being ready. */
function troubles(instance: InstanceStatus): string[] {
  const failed = instance.checks.filter((check) => !check.ok).map((check) => `check ${check.name}: ${check.detail}`);
  const stuck = instance.phases
    .filter((phase) => phase.state !== "done")
    .map((phase) => `phase ${phase.name}: ${phase.state}`);
  return [...failed, ...(instance.state === "ready" ? [] : stuck)].map((line) => `${instance.name}: ${line}`);
}
