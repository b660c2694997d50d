/**
 * The fleet's instances on EC2: launched once, stopped and ended only when they are ours.
 *
 * EC2's reads are eventually consistent: for a while after a launch it may say that there is no such instance. When its
 * "no" is believed:
 *
 * - The store is consistent, and a record is written there before a launch is asked for. Without a record nothing was
 *   asked for, so "no" is true at once.
 * - With a record that names a machine, EC2 may hide it for `visibilitySeconds` after the launch.
 * - With a record that names none, its writer may have died between asking and noting the answer. Its last request may
 *   be on its way for `launchDeadlineMs` more, and what it launched hidden for `visibilitySeconds` after that.
 *
 * Until then an unseen instance counts as running, and a removal waits for it to show itself: a compensation right
 * after a `kill -9` never leaves a machine behind that nobody knows.
 */
import { ToolError } from "../../../errors.ts";
import type { Store } from "../../../store.ts";
import type { InstanceLiveness, LaunchSpec, ProvidedInstance } from "../../services.ts";
import type { AwsClients } from "../clients.ts";
import { poll } from "../poll.ts";
import type { AwsSettings } from "../settings.ts";
import { isOwned } from "../tags.ts";
import { readConsole } from "./console.ts";
import { launchMachine } from "./launch.ts";
import { createMachineChanges } from "./machine-changes.ts";
import { openMachineRecords, type RecordedMachine } from "./machine-record.ts";
import { assertOurs, isLive, livenessOf, type Machine, type Machines, openMachines } from "./machines.ts";
import { parsePlacement } from "./placement.ts";

/** Of one round of looking; there is another as long as a machine may appear. */
const longestLookMs = 60_000;
/** RunInstances answers within seconds; the SDK's retries of a throttled or lost call take up to half a minute. */
const defaultLaunchDeadlineMs = 60_000;
/** Many ask at once whether instances live, such as a status over the whole fleet: one listing answers all of them. */
const listingLifeMs = 2_000;

export interface AwsInstances {
  launch(spec: LaunchSpec): Promise<{ started: boolean }>;
  liveness(instance: string): Promise<InstanceLiveness>;
  stop(instance: string, options: { graceMs: number; signal: AbortSignal }): Promise<void>;
  remove(instance: string, options: { signal: AbortSignal }): Promise<void>;
  list(): Promise<ProvidedInstance[]>;
  readLog(instance: string, lines: number): Promise<string[]>;
  /** EC2 id of the instance's running machine. Throws ToolError where there is none, or it is not ours. */
  runningMachine(instance: string): Promise<string>;
  machines: Machines;
}

/** What is known of an instance: its machines (gone ones too, while EC2 shows them) and its record. */
interface Sight {
  machines: Machine[];
  recorded: RecordedMachine | null;
  /** None is seen, but there may be one that EC2 does not show yet. */
  mayAppear: boolean;
}

export function openAwsInstances(options: {
  settings: AwsSettings;
  clients: AwsClients;
  store: Store;
  launchDeadlineMs?: number;
}): AwsInstances {
  const { settings, clients, store, launchDeadlineMs = defaultLaunchDeadlineMs } = options;
  const machines = openMachines(options);
  const changes = createMachineChanges({ settings, clients, machines });
  const records = openMachineRecords(store);
  let listing: { at: number; machines: Promise<Machine[]> } | null = null;

  async function look(instance: string): Promise<Sight> {
    checkInstanceId(instance);
    // The record first: a machine that is launched after this look is not this look's business.
    const recorded = await records.read(instance);
    const known = recorded?.record.machine ?? null;
    const found = await machines.ofInstance(instance);
    if (known !== null && !found.some(({ id }) => id === known)) {
      const one = await machines.byId(known);
      if (one) found.push(one);
    }
    const isSeen = known === null ? found.length > 0 : found.some(({ id }) => id === known);
    if (!recorded || isSeen) return { machines: found, recorded, mayAppear: false };
    const hiddenMs = settings.visibilitySeconds * 1000 + (known === null ? launchDeadlineMs : 0);
    return { machines: found, recorded, mayAppear: (await store.now()) < recorded.record.launchedAt + hiddenMs };
  }

  /** As `look`, once it is certain what there is: `mayAppear` ends with time. */
  async function lookUntilCertain(instance: string, signal: AbortSignal): Promise<Sight> {
    for (;;) {
      const sight = await poll({
        timeoutMs: longestLookMs,
        signal,
        async check() {
          const now = await look(instance);
          return now.mayAppear ? null : now;
        },
      });
      if (sight) return sight;
    }
  }

  /** Those that are not gone. Throws ToolError where one is not the fleet's. */
  function ours(instance: string, found: Machine[]): Machine[] {
    const live = found.filter(isLive);
    for (const machine of live) assertOurs(machine, { fleet: settings.fleet, instance });
    return live;
  }

  async function launch(spec: LaunchSpec): Promise<{ started: boolean }> {
    const { instance } = spec;
    const { machines: found, recorded, mayAppear } = await look(instance);
    const known = recorded?.record.machine ?? null;
    const live = ours(instance, found);
    const machine = known === null ? live[0] : live.find(({ id }) => id === known);
    if (machine) {
      await settle(instance, { machine, live, recorded });
      return startAgain(machine);
    }
    // Launched a moment ago, and not shown yet.
    if (known !== null && mayAppear) return { started: false };
    if (known !== null || found.length > 0) throw goneError(instance, known ?? found[0]?.id ?? null);
    if (spec.placement === null) throw goneError(instance, null);
    const placement = parsePlacement(spec.placement);
    const { terminate } = changes;
    const launching = { settings, clients, store, machines, records, launchDeadlineMs, terminate };
    const { started } = await launchMachine(launching, { spec, placement });
    listing = null;
    return { started };
  }

  /** Completes what a launch that was killed left undone: the record, and the end of a machine that lost against it. */
  async function settle(
    instance: string,
    { machine, live, recorded }: { machine: Machine; live: Machine[]; recorded: RecordedMachine | null },
  ): Promise<void> {
    if (!recorded) return;
    const { record, version } = recorded;
    if (record.machine === null) {
      const { current } = await records.write(instance, { ...record, machine: machine.id }, version);
      if (current?.record.machine !== machine.id) return;
    }
    const others = live.filter(({ id }) => id !== machine.id);
    if (others.length > 0) await changes.terminate(instance, idsOf(others));
  }

  /** A machine that was stopped starts again, on the same disk. */
  async function startAgain(machine: Machine): Promise<{ started: boolean }> {
    if (livenessOf(machine) === "running") return { started: false };
    await changes.start(machine);
    listing = null;
    return { started: true };
  }

  async function listed(): Promise<Machine[]> {
    if (!listing || performance.now() - listing.at > listingLifeMs) {
      const asked = { at: performance.now(), machines: machines.all() };
      listing = asked;
      asked.machines.catch(() => {
        if (listing === asked) listing = null;
      });
    }
    return listing.machines;
  }

  return {
    launch,
    async stop(instance, stopOptions) {
      const { machines: found } = await lookUntilCertain(instance, stopOptions.signal);
      for (const machine of ours(instance, found)) await changes.stop(machine, stopOptions);
      listing = null;
    },
    async remove(instance, { signal }) {
      const { machines: found, recorded } = await lookUntilCertain(instance, signal);
      // All of them: whatever else carries the instance's tags is an attempt that nobody wants.
      const live = ours(instance, found);
      if (live.length > 0) await changes.terminate(instance, idsOf(live), signal);
      if (recorded) await records.forget(instance);
      listing = null;
    },
    async liveness(instance) {
      const listedOne = (await listed()).find((machine) => machine.instance === instance);
      if (listedOne) return livenessOf(listedOne);
      if (!(await records.read(instance))) return "absent";
      const { machines: found, mayAppear } = await look(instance);
      const live = found.find(isLive);
      if (live) return livenessOf(live);
      return mayAppear ? "running" : "absent";
    },
    list: async () => (await machines.all()).map(toProvided),
    async readLog(instance, lines) {
      const { machines: found, recorded } = await look(instance);
      const mine = found.filter((machine) => machine.instance === instance && isOwned(machine.tags, settings.fleet));
      const known = mine.find(({ id }) => id === recorded?.record.machine);
      const machine = known ?? mine.find(isLive) ?? mine[0];
      return machine ? readConsole(clients, machine, lines) : [];
    },
    async runningMachine(instance) {
      const { machines: found } = await look(instance);
      const machine = ours(instance, found).find(({ state }) => state === "running");
      if (machine) return machine.id;
      throw new ToolError(`${instance} has no machine that runs`, {
        code: "instance_not_running",
        hint: "see `fleet status`; one that is stopped is started again by the fleet itself",
      });
    },
    machines,
  };
}

function idsOf(machines: Machine[]): string[] {
  return machines.map(({ id }) => id);
}

function toProvided(machine: Machine): ProvidedInstance {
  const { instance, name, image, revision, id } = machine;
  return { instance, name, image, revision, liveness: livenessOf(machine), machine: id };
}

/** It becomes a tag, a key in the store and part of a token. */
function checkInstanceId(instance: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(instance)) return;
  throw new ToolError(`"${instance}" is not an instance id`, {
    code: "instance_id_invalid",
    hint: "see `fleet status` for the ids",
  });
}

function goneError(instance: string, machine: string | null): ToolError {
  return new ToolError(
    `${instance}${machine ? ` (${machine})` : ""} does not exist any more, so it cannot be started`,
    {
      code: "instance_gone",
      hint: "launch or replace it: a new instance gets a new id",
    },
  );
}
