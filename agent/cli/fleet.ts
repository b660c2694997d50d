import type { FleetDrift, FleetStatus, InstanceStatus, PausedBy } from "../../tools/fleet/model.ts";
import { isProcessLockHeld } from "../../tools/process-lock.ts";
import { instancePaths } from "../paths.ts";
import type { AuditEntry } from "../protocol.ts";
import { connect, findDoors } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { shortId, table, timeOf } from "./output.ts";

export async function fleetStatus(context: CommandContext): Promise<void> {
  const status = await (await connect(context)).get<FleetStatus>("/api/fleet");
  context.output.result(status, () => {
    const hasMachines = status.instances.some(({ machine }) => machine !== null);
    const rows = status.instances.map((one) => {
      const phase = one.state === "lost" ? undefined : one.phases.find((candidate) => candidate.state === "running");
      const state = phase ? `${one.state} (${phase.name})` : one.state;
      return [
        one.name,
        state,
        `${shortId(one.revision)}${one.dirty ? "+" : ""}`,
        one.image,
        String(one.epoch ?? "–"),
        health(one, status.at),
        one.url ?? "–",
        ...(hasMachines ? [one.machine ?? "–"] : []),
      ];
    });
    const header = ["NAME", "STATE", "REVISION", "IMAGE", "EPOCH", "HEALTH", "CONSOLE"];
    const shown = table([...header, ...(hasMachines ? ["MACHINE"] : [])], rows);
    return status.paused ? `${shown}\n${pausedText(status.paused)}` : shown;
  });
}

function pausedText({ name, reason, at }: PausedBy): string {
  return `paused by ${name} since ${timeOf(at)}${reason === null ? "" : `: ${reason}`}`;
}

/**
 * One instance's health in a cell, at a store time in milliseconds: what a lost one last said of its checks is no news.
 */
export function health(one: Pick<InstanceStatus, "state" | "checks" | "heartbeatAgeMs">, at: number): string {
  if (one.state === "lost") {
    return one.heartbeatAgeMs === null ? "no heartbeat ever" : `no heartbeat since ${timeOf(at - one.heartbeatAgeMs)}`;
  }
  if (one.checks.length === 0) return "–";
  const failing = one.checks.filter((check) => !check.ok).map((check) => check.name);
  return failing.length === 0 ? "ok" : `failing: ${failing.join(", ")}`;
}

export async function fleetDrift(context: CommandContext): Promise<void> {
  const drift = await (await connect(context)).get<FleetDrift>("/api/drift");
  context.output.result(drift, () =>
    drift.items.length === 0
      ? "no drift: the fleet is as it should be"
      : drift.items.map((item) => `${item.kind.replaceAll("_", " ")}: ${item.detail}`).join("\n"),
  );
}

export async function pause(context: CommandContext, paused: boolean, reason?: unknown): Promise<void> {
  const body = typeof reason === "string" ? { reason } : {};
  const client = await connect(context);
  const answer = await client.post<{ paused: boolean }>(paused ? "/api/pause" : "/api/resume", body);
  context.output.result(answer, () =>
    answer.paused
      ? "paused: no answer, job or operation begins and none is proposed; messages wait until you resume"
      : "resumed",
  );
}

export async function audit(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const query = new URLSearchParams({ limit: String(options.limit ?? 50) });
  if (typeof options.subject === "string") query.set("subject", options.subject);
  const { entries } = await (await connect(context)).get<{ entries: AuditEntry[] }>(`/api/audit?${query}`);
  context.output.result({ entries }, () =>
    table(
      ["TIME (UTC)", "ACTION", "ACTOR", "SUBJECT", "DETAIL"],
      entries.map((entry) => [
        timeOf(entry.at),
        entry.action,
        entry.actor,
        entry.subject,
        entry.detail.split("\n")[0] ?? "",
      ]),
    ),
  );
}

/** All are told before any is waited for, so that none starts another again. */
export async function down(context: CommandContext): Promise<void> {
  const doors = await findDoors(context.home);
  for (const door of doors) {
    const client = await connect({ ...context, instance: door.instance });
    await client.post("/control/stop", {});
  }
  for (const door of doors) {
    const { gatewayLock, mindLock } = instancePaths(context.home, door.instance);
    while (isProcessLockHeld(gatewayLock) || isProcessLockHeld(mindLock))
      await new Promise((resolve) => setTimeout(resolve, 50));
    context.output.note(`${door.name} is stopped`);
  }
  const stopped = doors.map((door) => door.name);
  context.output.result({ stopped }, () =>
    stopped.length === 0 ? "nothing runs here" : `stopped: ${stopped.join(", ")}`,
  );
}
