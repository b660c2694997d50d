/**
 * The one-time bootstrap: from an AWS account and an empty git repository to a CLAWDINATOR that is ready. Each step looks
 * whether it is done before it does anything, so a run that was killed anywhere is continued by the same command.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Output } from "../agent/cli/output.ts";
import { keepCompiled } from "../agent/compile-cache.ts";
import { failpoint } from "../agent/gateway/failpoint.ts";
import { programRoot } from "../agent/gateway/identity.ts";
import { fleetPaths } from "../agent/paths.ts";
import { ConfigError, describeError, ToolError } from "../tools/errors.ts";
import { createAwsClients } from "../tools/fleet/aws/clients.ts";
import { acquireProcessLock, readLockOwner } from "../tools/process-lock.ts";
import { type BootstrapJournal, type Outputs, openJournal } from "./journal.ts";
import { type BootstrapOptions, fleetOf, readOptions, rememberedOptions } from "./options.ts";
import { createPrompt } from "./prompt.ts";
import { createRedactor } from "./redact.ts";
import { openRunningFleet, type RunningFleet } from "./running-fleet.ts";
import { createSpeaker } from "./speaker.ts";
import type { BootstrapContext, BootstrapStep } from "./step.ts";
import { check } from "./steps/check.ts";
import { ciVariables } from "./steps/ci-variables.ts";
import { fleetRepository } from "./steps/fleet-repository.ts";
import { follow } from "./steps/follow.ts";
import { infrastructure } from "./steps/infrastructure.ts";
import { launch } from "./steps/launch.ts";
import { planStep } from "./steps/plan.ts";
import { secrets } from "./steps/secrets.ts";
import { seeds } from "./steps/seeds.ts";
import { showSummary } from "./summary.ts";
import { tearDown } from "./teardown.ts";

const making = [fleetRepository, infrastructure, ciVariables, secrets, seeds, launch, follow];
const steps: readonly BootstrapStep[] = [check, planStep(making), ...making];
export const stepNames: readonly string[] = steps.map(({ name }) => name);

/** Runs it. Throws UsageError, ConfigError, ToolError or ProviderError with what to do next. */
export async function bootstrap(options: {
  home: string;
  given: Record<string, unknown>;
  output: Output;
  environment: NodeJS.ProcessEnv;
}): Promise<void> {
  const { home, given, environment } = options;
  const fleet = fleetOf(given);
  const directory = join(home, "bootstrap");
  const path = join(directory, `${fleet}.json`);
  const dryRun = given.dryRun === true;
  const journal = await openJournal({ path, fleet, dryRun });
  const { options: remembered } = journal.read();
  const chosen = readOptions({ given, remembered, environment, steps: stepNames });
  if (!dryRun) await mkdir(directory, { recursive: true, mode: 0o700 });
  const lockPath = join(directory, `${fleet}.lock`);
  const lock = dryRun ? null : acquireProcessLock(lockPath);
  if (!dryRun && !lock) {
    throw new ConfigError(
      `a bootstrap of ${fleet} runs already (process ${readLockOwner(lockPath)?.pid ?? "unknown"})`,
      {
        code: "bootstrap_running",
        hint: "wait for it to end; a run that was killed is continued by the same command",
      },
    );
  }
  const abort = new AbortController();
  const stopListening = listenForSignals(abort);
  const { context, close } = createContext({ ...options, chosen, journal, directory, signal: abort.signal });
  try {
    if (chosen.teardown) await tearDown(context, steps);
    else await runSteps(context, options.output);
  } finally {
    await close();
    context.clients.close();
    stopListening();
    lock?.release();
  }
}

function createContext(options: {
  chosen: BootstrapOptions;
  journal: BootstrapJournal;
  directory: string;
  output: Output;
  environment: NodeJS.ProcessEnv;
  signal: AbortSignal;
}): { context: BootstrapContext; close(): Promise<void> } {
  const { chosen, journal, environment, signal, output } = options;
  const redactor = createRedactor();
  for (const name of ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GH_TOKEN", "GITHUB_TOKEN", "CLAWDINATOR_TOKEN"])
    if (environment[name]) redactor.hide(environment[name]);
  let opened: Promise<RunningFleet> | null = null;
  const context: BootstrapContext = {
    options: chosen,
    journal,
    redactor,
    environment,
    signal,
    speaker: createSpeaker({ output, redactor }),
    prompt: createPrompt({ input: process.stdin, output: process.stderr, signal }),
    clients: createAwsClients({ region: chosen.region, environment }),
    program: programRoot,
    paths: fleetPaths(join(options.directory, chosen.fleet)),
    fleet() {
      opened ??= openRunningFleet(context);
      return opened;
    },
  };
  return {
    context,
    async close() {
      await (await opened?.catch(() => null))?.close();
    },
  };
}

async function runSteps(context: BootstrapContext, output: Output): Promise<void> {
  const { options, journal } = context;
  await journal.change((record) => {
    record.options = { ...record.options, ...rememberedOptions(options) };
  });
  const wanted = options.only === null ? steps : steps.filter(({ name }) => name === options.only);
  if (options.only !== null) await requireEarlier(context, options.only);
  for (const step of wanted) {
    await runStep(context, step);
    if (options.dryRun && step.name === "plan") {
      context.speaker.enter(null);
      context.speaker.say("result", "This was a dry run: nothing was changed.", { dryRun: true });
      return;
    }
  }
  context.speaker.enter(null);
  if (options.only === null) await showSummary(context, output);
}

async function runStep(context: BootstrapContext, step: BootstrapStep): Promise<void> {
  const { speaker, journal, options, signal } = context;
  const number = `${stepNames.indexOf(step.name) + 1}/${steps.length}`;
  speaker.enter(step.name);
  signal.throwIfAborted();
  speaker.say("step", `[${number}] ${step.title}`);
  const startedAt = performance.now();
  try {
    if (options.only === null && (await step.isDone(context))) {
      speaker.say("skipped", "is done");
      await mark(journal, step.name, "done", null);
      return;
    }
    await mark(journal, step.name, "running", null);
    // A run that is cut off here, and begun again, finds its code compiled.
    keepCompiled();
    failpoint(`${step.name}.before`);
    const outputs = await step.run(context);
    keepCompiled();
    failpoint(`${step.name}.effect`);
    await mark(journal, step.name, "done", outputs);
    failpoint(`${step.name}.after`);
    const seconds = (performance.now() - startedAt) / 1000;
    speaker.say("done", `${step.title} (${seconds.toFixed(1)} s)`, { seconds: Math.round(seconds * 10) / 10 });
  } catch (error) {
    throw stepError(context, step, error);
  }
}

/** Looking and asking leave nothing behind that a later run would need. */
const unrecorded = new Set(["check", "plan"]);

async function mark(
  journal: BootstrapJournal,
  name: string,
  state: "running" | "done",
  outputs: Outputs | null,
): Promise<void> {
  if (unrecorded.has(name)) return;
  const before = journal.read().steps[name];
  if (before?.state === state && outputs === null) return;
  await journal.change((record) => {
    const now = new Date().toISOString();
    record.steps[name] = {
      state,
      startedAt: before?.startedAt ?? now,
      endedAt: state === "done" ? now : null,
      outputs: { ...before?.outputs, ...(outputs as Record<string, never> | null) },
    };
  });
}

async function requireEarlier(context: BootstrapContext, only: string): Promise<void> {
  const { steps: recorded } = context.journal.read();
  const earlier = stepNames.slice(0, stepNames.indexOf(only)).filter((name) => !unrecorded.has(name));
  const missing = earlier.find((name) => recorded[name]?.state !== "done");
  if (!missing) return;
  throw new ConfigError(`--only ${only} comes after ${missing}, which is not done yet`, {
    code: "step_too_early",
    hint: "run the bootstrap without --only",
  });
}

/** The same error, saying in which step and that the same command goes on there; no secret in it. */
function stepError(
  { redactor, speaker, options, signal }: BootstrapContext,
  step: BootstrapStep,
  error: unknown,
): unknown {
  if (signal.aborted) {
    speaker.say("failed", `${step.title}: stopped`);
    return new ToolError("stopped; nothing of it is lost", {
      code: "stopped",
      hint: "run the same command again: it goes on here",
    });
  }
  const described = describeError(error);
  const message = redactor.redact(described.message);
  speaker.say("failed", `${step.title}: ${message.split("\n")[0]}`, { code: described.code });
  const next = options.dryRun || unrecorded.has(step.name) ? "" : "; then run the same command again: it goes on here";
  const hint = redactor.redact(described.hint);
  return new ToolError(message, { code: described.code, hint: /same command again/.test(hint) ? hint : hint + next });
}

/** The first signal stops in order; the second one at once, as if there were no handler. */
function listenForSignals(abort: AbortController): () => void {
  const onSignal = (): void => {
    stop();
    abort.abort(new Error("stopped by a signal"));
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const stop = (): void => {
    for (const signal of signals) process.off(signal, onSignal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return stop;
}
