/**
 * The steps that fleet operations are made of. Each is safe to repeat: names are derived from the step's token, states
 * are looked up before they are changed, and what a step may have done in part its compensation undoes.
 */
import { ToolError } from "../errors.ts";
import type { Json } from "../json.ts";
import type { Step, StepContext } from "../tool.ts";
import { forgetCandidate, readCandidate, readHolder } from "./heartbeats.ts";
import type { DesiredInstance, DesiredState, Heartbeat } from "./model.ts";
import { giveName, readName, releaseName, requestDrain } from "./names.ts";
import type { ImportedImage, ImportWay, PlannedImage } from "./services.ts";
import { waitForStore } from "./wait.ts";

/** A holder as it was when the plan was made. */
export interface PlannedInstance {
  name: string;
  instance: string;
  epoch: number;
  image: string;
  revision: string;
}

const logLines = 20;

/** Builds the image, or finds it built, and checks that it is the planned one. Kept on failure: it can be pruned. */
export function buildImageStep(image: PlannedImage): Step {
  return {
    name: "build_image",
    async run(context) {
      const { provider } = context.fleet;
      const { image: built, reused } = await provider.buildImage(image.revision, context);
      if (built.digest !== image.digest) {
        throw new ToolError(
          `the image of ${image.revision.slice(0, 12)} came out as ${built.digest.slice(0, 12)}, planned was ${image.digest.slice(0, 12)}`,
          {
            code: "image_differs",
            hint: "propose it again; if it differs again, the program repository was rewritten",
          },
        );
      }
      return {
        result: {
          image: built.id,
          digest: built.digest,
          revision: built.revision,
          path: built.path,
          bytes: built.bytes,
          closure: built.closure,
          reused,
        },
      };
    },
  };
}

/** Makes the built image launchable. Kept when a later step fails; what an import that failed left behind goes. */
export function importImageStep(image: PlannedImage, via: ImportWay | null = null): Step {
  return {
    name: "import_image",
    async run(context) {
      const { store, provider } = context.fleet;
      const { image: launchable, snapshot, reused } = await provider.importImage(image, { ...context, via });
      const record = {
        formatVersion: 1,
        ...image,
        ami: launchable === image.id ? null : launchable,
        snapshot,
        operation: context.operationId,
        registeredAt: await store.now(),
      };
      const { written } = await store.put(`images/${image.id}`, record, { ifAbsent: true });
      const result: ImportedImage = {
        image: launchable,
        snapshot,
        revision: image.revision,
        reused: reused && !written,
      };
      return { result: result as unknown as Json };
    },
    async compensate(context) {
      await context.fleet.provider.abandonImport(image, context);
    },
  };
}

/** The instance id that a launch gets: the same at every attempt. */
function candidateId(context: Pick<StepContext, "token" | "fleet">): string {
  return context.fleet.provider.instanceId(context.token);
}

export interface CandidateOptions {
  prefix: string;
  name: string;
  image: PlannedImage;
  /** `LaunchPlan.placement`, as the plan binds it. */
  placement: Json;
}

/** Starts an instance that proves itself without holding a name. */
export function startCandidateStep(options: CandidateOptions): Step {
  const { name, image, placement } = options;
  return {
    name: `${options.prefix}start_candidate`,
    async run(context) {
      const instance = candidateId(context);
      const port = (await readName(context.fleet.store, name))?.port ?? null;
      context.progress(`starting ${instance} for ${name}`);
      const { revision } = image;
      await context.fleet.provider.launch({ instance, name, image: image.id, revision, port, placement });
      return { result: { instance } };
    },
    async compensate(context) {
      await removeInstance(context, candidateId(context));
    },
  };
}

/** Waits until the candidate has shown that it works; a candidate that has not by its deadline fails the operation. */
export function proveCandidateStep(options: { prefix: string; name: string; image: PlannedImage }): Step {
  return {
    name: `${options.prefix}prove_candidate`,
    async run(context) {
      const instance = resultInstance(context, `${options.prefix}start_candidate`);
      const { store, provider, settings } = context.fleet;
      let last: Heartbeat | null = null;
      try {
        const heartbeat = await waitForStore(store, {
          what: `${instance} proving itself for ${options.name}`,
          hint: "its log says why; the old instance, where there is one, keeps the name",
          deadlineMs: settings.candidateDeadlineMs,
          signal: context.signal,
          check: async () => {
            last = await readCandidate(store, instance);
            if (last) context.progress(describeBoot(last));
            if (last && isProven(last, options.image)) return last;
            if ((await provider.liveness(instance)) === "stopped") throw diedError(instance);
            return null;
          },
        });
        return { result: { instance, checks: heartbeat.checks as unknown as Json } };
      } catch (error) {
        const log = await provider.readLog(instance, logLines).catch(() => []);
        throw withEvidence(error, { heartbeat: last, log });
      }
    },
  };
}

function isProven(heartbeat: Heartbeat, image: PlannedImage): boolean {
  const proven = heartbeat.checks.length > 0 && heartbeat.checks.every((check) => check.ok);
  return (
    heartbeat.state === "candidate" && proven && heartbeat.image === image.id && heartbeat.revision === image.revision
  );
}

function diedError(instance: string): ToolError {
  return new ToolError(`${instance} ended before it had proved itself`, {
    code: "candidate_died",
    hint: "its last log lines say why",
  });
}

/** The error, with what the candidate last said: which check failed, and the end of its log. */
function withEvidence(error: unknown, evidence: { heartbeat: Heartbeat | null; log: string[] }): unknown {
  if (!(error instanceof ToolError)) return error;
  const failed =
    evidence.heartbeat?.checks.filter((check) => !check.ok).map((check) => `${check.name}: ${check.detail}`) ?? [];
  const why = failed.length > 0 ? ` (${failed.join("; ")})` : "";
  const full = new ToolError(`${error.message}${why}`, { code: error.code, hint: error.hint, cause: error });
  return Object.assign(full, { log: evidence.log });
}

/** Writes the desired state as a commit of the fleet repository, and into the store as what is executed. */
export function commitDesiredStep(options: {
  prefix: string;
  name: string;
  before: DesiredInstance | null;
  after: DesiredInstance | null;
  subject: string;
}): Step {
  const apply = async (
    context: StepContext,
    entry: DesiredInstance | null,
    trailer: string,
    subject: string,
  ): Promise<Json> => {
    const { repository } = context.fleet;
    const { commit } = await repository.commit({
      trailer,
      message: commitMessage(context, subject),
      change: ({ instances }) => ({ instances: withEntry(instances, options.name, entry) }),
    });
    await context.fleet.setDesired((desired) => withEntry(desired, options.name, entry), commit);
    return { commit };
  };
  const stepName = `${options.prefix}commit_desired`;
  return {
    name: stepName,
    run: async (context) => ({
      result: await apply(context, options.after, `${context.digest}/${stepName}`, options.subject),
    }),
    async compensate(context) {
      await apply(context, options.before, `${context.digest}/${stepName}/undo`, `Undo: ${options.subject}`);
    },
  };
}

function withEntry(state: DesiredState, name: string, entry: DesiredInstance | null): DesiredState {
  const { [name]: _previous, ...others } = state.instances;
  return { ...state, instances: entry ? { ...others, [name]: entry } : others };
}

export function commitMessage(
  context: Pick<StepContext, "plan" | "approval" | "approvedBy" | "operationId">,
  subject: string,
): string {
  const { proposer } = context.plan;
  return [
    subject,
    "",
    `Asked-by: ${proposer.name} (${proposer.kind} ${proposer.id})`,
    `Approved-by: ${context.approvedBy.join(", ")}`,
    `Approval: ${context.approval}`,
    `Run: ${context.operationId}`,
  ].join("\n");
}

/**
 * Asks the holder to finish or park its runs and to release the name. One that does not answer is stopped, which is
 * the confirmation that makes the name free.
 */
export function drainStep(options: { prefix: string; old: PlannedInstance }): Step {
  const { old } = options;
  return {
    name: `${options.prefix}drain`,
    async run(context) {
      const { store, provider, settings } = context.fleet;
      const isFree = async (): Promise<boolean> => (await readName(store, old.name))?.holder !== old.instance;
      await requestDrain(store, { name: old.name, epoch: old.epoch, operation: context.operationId });
      context.progress(`${old.instance} finishes its runs`);
      let forced = false;
      await waitForStore(store, {
        what: `${old.instance} draining`,
        hint: "it is stopped instead",
        deadlineMs: settings.drainDeadlineMs + settings.longestCallMs,
        signal: context.signal,
        check: async () => ((await isFree()) || (await hasEnded(context.fleet, old)) ? true : null),
      }).catch((error: unknown) => {
        if ((error as ToolError).code !== "deadline") throw error;
      });
      if (!(await isFree())) {
        forced = true;
        await provider.stop(old.instance, { graceMs: settings.longestCallMs, signal: context.signal });
        if (!(await hasEnded(context.fleet, old))) {
          throw new ToolError(`${old.instance} neither drained nor could be stopped, so ${old.name} is still its own`, {
            code: "not_stopped",
            hint: "it runs where the provider does not see it, such as from a checkout: end it there, or wait for its lease to end",
          });
        }
        await releaseName(store, { name: old.name, holder: old.instance });
      }
      return { result: { instance: old.instance, forced } };
    },
    async compensate({ fleet }) {
      // The old one takes its name back, under a new epoch; one that was stopped on the way is started again.
      if ((await fleet.provider.liveness(old.instance)) !== "running" && old.image !== "checkout") {
        const port = (await readName(fleet.store, old.name))?.port ?? null;
        await fleet.provider.launch({
          instance: old.instance,
          name: old.name,
          image: old.image,
          revision: old.revision,
          port,
          placement: null,
        });
      }
      await giveName(fleet.store, { name: old.name, to: old.instance, from: null, leaseMs: fleet.settings.leaseMs });
    },
  };
}

/**
 * Nobody acts as this instance any more. What the provider does not know (one that runs from a checkout beside machines
 * in the cloud) has ended only when its lease has.
 */
async function hasEnded(fleet: StepContext["fleet"], old: PlannedInstance): Promise<boolean> {
  const liveness = await fleet.provider.liveness(old.instance);
  if (liveness !== "absent") return liveness === "stopped";
  const record = await readName(fleet.store, old.name);
  return (
    record?.holder !== old.instance || (await fleet.store.now()) > record.leaseUntil + fleet.settings.longestCallMs
  );
}

/** Gives the free name to the proven candidate; the epoch rises by one. */
export function giveNameStep(options: { prefix: string; name: string }): Step {
  const launched = `${options.prefix}start_candidate`;
  return {
    name: `${options.prefix}give_name`,
    async run(context) {
      const instance = resultInstance(context, launched);
      const { store, settings } = context.fleet;
      const { epoch } = await giveName(store, {
        name: options.name,
        to: instance,
        from: null,
        leaseMs: settings.leaseMs,
      });
      await context.fleet.audit({
        action: "name.given",
        subject: options.name,
        detail: `to ${instance}, epoch ${epoch}`,
        once: context.token,
      });
      return { result: { instance, epoch } };
    },
    async compensate(context) {
      const instance = resultInstance(context, launched);
      await context.fleet.provider.stop(instance, {
        graceMs: context.fleet.settings.longestCallMs,
        signal: context.signal,
      });
      await releaseName(context.fleet.store, { name: options.name, holder: instance });
    },
  };
}

/** Waits until the new holder acts under its name. From here the operation only goes forward. */
export function awaitReadyStep(options: { prefix: string; name: string }): Step {
  return {
    name: `${options.prefix}await_ready`,
    pivot: true,
    async run(context) {
      const { instance, epoch } = context.results[`${options.prefix}give_name`] as { instance: string; epoch: number };
      const { store, provider, settings } = context.fleet;
      try {
        await waitForStore(store, {
          what: `${options.name} becoming ready as ${instance}`,
          hint: "its log says why",
          deadlineMs: settings.candidateDeadlineMs,
          signal: context.signal,
          check: async () => {
            const heartbeat = await readHolder(store, { name: options.name, epoch });
            if (heartbeat) context.progress(describeBoot(heartbeat));
            return heartbeat?.state === "ready" ? heartbeat : null;
          },
        });
      } catch (error) {
        const heartbeat = await readHolder(store, { name: options.name, epoch });
        throw withEvidence(error, { heartbeat, log: await provider.readLog(instance, logLines).catch(() => []) });
      }
      await forgetCandidate(store, instance);
      return { result: { instance, epoch } };
    },
  };
}

/** Stops the former holder for good. Another instance must do it when it is this one. */
export function retireStep(options: { prefix: string; old: PlannedInstance }): Step {
  return {
    name: `${options.prefix}retire`,
    async run(context) {
      if (options.old.instance === context.fleet.self.instance) return { handOver: true };
      await removeInstance(context, options.old.instance);
      return { result: { instance: options.old.instance } };
    },
  };
}

async function removeInstance(context: StepContext, instance: string): Promise<void> {
  const { provider, store, settings } = context.fleet;
  await provider.remove(instance, { graceMs: settings.longestCallMs, signal: context.signal });
  await forgetCandidate(store, instance);
}

function resultInstance(context: StepContext, step: string): string {
  const result = context.results[step] as { instance?: string } | undefined;
  if (result?.instance) return result.instance;
  throw new ToolError(`the journal has no result of ${step}`, {
    code: "journal_incomplete",
    hint: "cancel the operation and propose it again",
  });
}

function describeBoot(heartbeat: Heartbeat): string {
  const running = heartbeat.phases.find((phase) => phase.state === "running");
  const failed = heartbeat.checks.filter((check) => !check.ok).map((check) => check.name);
  if (failed.length > 0) return `${heartbeat.instance}: waiting for ${failed.join(", ")}`;
  return running ? `${heartbeat.instance}: ${running.name}` : `${heartbeat.instance}: ${heartbeat.state}`;
}
