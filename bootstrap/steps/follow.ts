/** Follows the machine's boot, phase by phase, until it has its name and is ready. */
import type { OperationView } from "../../agent/protocol.ts";
import { ToolError } from "../../tools/errors.ts";
import { readCandidate, readHolder } from "../../tools/fleet/heartbeats.ts";
import type { Heartbeat } from "../../tools/fleet/model.ts";
import { readName } from "../../tools/fleet/names.ts";
import type { RunningFleet } from "../running-fleet.ts";
import type { BootstrapContext, BootstrapStep } from "../step.ts";
import { operationError } from "./launch.ts";

export const follow: BootstrapStep = {
  name: "follow",
  title: "boot",
  describe: ({ options }) => `follow the boot of ${options.name}, phase by phase, until it is ready (5 to 7 minutes)`,

  async isDone(context) {
    const fleet = await context.fleet();
    const operation = await operationOf(context, fleet);
    if (operation?.state !== "succeeded") return false;
    return (await readyHolder(context, fleet)) !== null;
  },

  async run(context) {
    const fleet = await context.fleet();
    const operation = await operationOf(context, fleet);
    if (!operation) {
      throw new ToolError("no launch is under way", {
        code: "nothing_launched",
        hint: "run the bootstrap without --only",
      });
    }
    const phases = createPhases(context);
    const ended = await fleet.drive(
      operation.id,
      async (one) => {
        await phases.tell(await newestHeartbeat(context, fleet));
        return one.endedAt !== null;
      },
      // The phases say the same, and more.
      { tells: false },
    );
    await phases.tell(await newestHeartbeat(context, fleet));
    if (ended.state !== "succeeded") throw operationError(context, ended);
    const ready = await readyInstance(context, fleet);
    if (!ready) {
      throw new ToolError(`${context.options.name} was launched and is not ready any more`, {
        code: "not_ready",
        hint: "the fleet starts it again by itself; run the same command again to look, and `clawdinator doctor` on the machine says more",
      });
    }
    return { ...ready };
  },
};

async function operationOf(context: BootstrapContext, fleet: RunningFleet): Promise<OperationView | null> {
  const { operation } = context.journal.outputs("launch");
  return typeof operation === "string" ? fleet.core.operations.get(operation) : null;
}

async function readyHolder({ options }: BootstrapContext, { core }: RunningFleet): Promise<Heartbeat | null> {
  const record = await readName(core.store, options.name);
  if (!record?.holder) return null;
  const heartbeat = await readHolder(core.store, record);
  const isCurrent = (await core.store.now()) <= record.leaseUntil;
  return heartbeat?.state === "ready" && isCurrent ? heartbeat : null;
}

export interface ReadyInstance {
  instance: string;
  epoch: number | null;
  port: number | null;
  /** EC2's own id. */
  machine: string | null;
}

/** Who holds the name and is ready; null when nobody is. */
export async function readyInstance(context: BootstrapContext, fleet: RunningFleet): Promise<ReadyInstance | null> {
  const holder = await readyHolder(context, fleet);
  if (!holder) return null;
  const { instance, epoch, port } = holder;
  const machine = (await fleet.core.provider.list()).find((one) => one.instance === instance)?.machine ?? null;
  return { instance, epoch, port, machine };
}

async function newestHeartbeat({ options }: BootstrapContext, { core }: RunningFleet): Promise<Heartbeat | null> {
  const record = await readName(core.store, options.name);
  const holder = record?.holder ? await readHolder(core.store, record) : null;
  if (holder) return holder;
  const candidates = await core.store.list("candidates/");
  for (const { key } of candidates) {
    const heartbeat = await readCandidate(core.store, key.slice("candidates/".length));
    if (heartbeat?.name === options.name) return heartbeat;
  }
  return null;
}

/** Tells each phase once, when it begins and when it ends; and each check that fails. */
function createPhases({ speaker }: BootstrapContext): { tell(heartbeat: Heartbeat | null): Promise<void> } {
  const told = new Set<string>();
  const once = (text: string, fields: { [key: string]: string | number | boolean }): void => {
    if (told.has(text)) return;
    told.add(text);
    speaker.say("progress", text, fields);
  };
  return {
    async tell(heartbeat) {
      for (const { name, state, startedAt, endedAt } of heartbeat?.phases ?? []) {
        if (state === "running") once(`${name} …`, { phase: name, state });
        else
          once(`${name} ${state} in ${(((endedAt ?? startedAt) - startedAt) / 1000).toFixed(1)} s`, {
            phase: name,
            state,
          });
      }
      for (const { name, ok, detail } of heartbeat?.checks ?? [])
        if (!ok) once(`waiting for ${name}: ${detail}`, { check: name, ok });
    },
  };
}
