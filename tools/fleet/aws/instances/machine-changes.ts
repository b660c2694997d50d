/** Starting, stopping and ending machines, until EC2 shows that it happened. Whose they are is checked by the caller. */
import { ProviderError, ToolError } from "../../../errors.ts";
import type { AwsClients } from "../clients.ts";
import { asAwsError, awsErrorCode, isNotFound } from "../errors.ts";
import { poll } from "../poll.ts";
import type { AwsSettings } from "../settings.ts";
import { isLive, type Machine, type MachineState, type Machines } from "./machines.ts";

/** A shutdown takes some 20 s; EC2 pulls the plug on one that hangs after a few minutes. */
const stopDeadlineMs = 5 * 60_000;
/** From `pending` to `running`; before that EC2 refuses to stop it. */
const runningDeadlineMs = 2 * 60_000;
/** EC2 answers with `shutting-down` at once. */
const terminateDeadlineMs = 60_000;

export interface MachineChanges {
  start(machine: Machine): Promise<void>;
  /** Resolves when it is stopped, or gone. */
  stop(machine: Machine, options: { graceMs: number; signal: AbortSignal }): Promise<void>;
  /** Resolves when every one of them is shutting down or gone: EC2 never takes that back. */
  terminate(instance: string, ids: string[], signal?: AbortSignal): Promise<void>;
}

type Action = "StartInstances" | "StopInstances" | "TerminateInstances";
const verbs = {
  StartInstances: { doing: "starting", done: "started" },
  StopInstances: { doing: "stopping", done: "stopped" },
  TerminateInstances: { doing: "ending", done: "ended" },
};

export function createMachineChanges(options: {
  settings: AwsSettings;
  clients: AwsClients;
  machines: Machines;
}): MachineChanges {
  const { settings, clients, machines } = options;

  async function send(action: Action, ids: string[]): Promise<void> {
    const [ec2, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
    if (action === "StartInstances") await client.send(new ec2.StartInstancesCommand({ InstanceIds: ids }));
    else if (action === "StopInstances") await client.send(new ec2.StopInstancesCommand({ InstanceIds: ids }));
    else await client.send(new ec2.TerminateInstancesCommand({ InstanceIds: ids }));
  }

  async function change(
    action: Action,
    target: { instance: string; ids: string[] },
    signal?: AbortSignal,
  ): Promise<void> {
    const { doing } = verbs[action];
    const what = `${doing} ${target.instance} (${target.ids.join(", ")})`;
    let hidden: unknown;
    const sent = await poll({
      timeoutMs: settings.visibilitySeconds * 1000,
      signal,
      async check() {
        try {
          await send(action, target.ids);
          return true;
        } catch (error) {
          // It was seen or made just now: this part of EC2 does not know it yet.
          if (!isNotFound(error)) throw changeError(error, { action, what });
          hidden = error;
          return null;
        }
      },
    });
    // What is to end and is not known to EC2 for that long has ended before.
    if (!sent && action !== "TerminateInstances") throw asAwsError(hidden, what);
  }

  async function waitForState(
    machine: Machine,
    options: { state: MachineState; timeoutMs: number; signal?: AbortSignal },
  ): Promise<void> {
    const { state } = options;
    let last = machine.state;
    const arrived = await poll({
      ...options,
      async check() {
        const now = await machines.byId(machine.id);
        last = now?.state ?? last;
        return now && (now.state === state || !isLive(now)) ? true : null;
      },
    });
    if (!arrived) throw stuckError(`${machine.instance} (${machine.id}) did not become ${state}: it is ${last}`);
  }

  return {
    async start(machine) {
      if (machine.state === "stopping") await waitForState(machine, { state: "stopped", timeoutMs: stopDeadlineMs });
      await change("StartInstances", { instance: machine.instance, ids: [machine.id] });
    },
    async stop(machine, { graceMs, signal }) {
      if (machine.state === "stopped") return;
      if (machine.state === "pending")
        await waitForState(machine, { state: "running", timeoutMs: runningDeadlineMs, signal });
      if (machine.state !== "stopping")
        await change("StopInstances", { instance: machine.instance, ids: [machine.id] }, signal);
      await waitForState(machine, { state: "stopped", timeoutMs: Math.max(graceMs, stopDeadlineMs), signal });
    },
    async terminate(instance, ids, signal) {
      await change("TerminateInstances", { instance, ids }, signal);
      const gone = await poll({
        timeoutMs: terminateDeadlineMs,
        signal,
        async check() {
          const left = await Promise.all(ids.map((id) => machines.byId(id)));
          return left.some((machine) => machine && isLive(machine)) ? null : true;
        },
      });
      if (!gone) throw stuckError(`${instance} (${ids.join(", ")}) was told to end and has not`);
    },
  };
}

function changeError(error: unknown, { action, what }: { action: Action; what: string }): Error {
  if (awsErrorCode(error) !== "OperationNotPermitted") return asAwsError(error, what);
  const protection = action === "TerminateInstances" ? "termination protection" : "stop protection";
  return new ToolError(`${what} was refused: it has ${protection}`, {
    code: "instance_protected",
    hint: `somebody switched ${protection} on by hand: switch it off in the EC2 console if it may be ${verbs[action].done}, then resume the operation`,
    cause: error,
  });
}

function stuckError(message: string): ProviderError {
  return new ProviderError(message, {
    code: "instance_state_stuck",
    hint: "look at it in the EC2 console; then resume the operation",
  });
}
