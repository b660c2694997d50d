/**
 * Launching one machine for one instance, and never two.
 *
 * EC2 answers a repeated RunInstances with the same client token and the same parameters with the machine that the
 * first one made. So:
 *
 * - Everything that an attempt sends is fixed by the plan or by the store's record, which is written before the first
 *   attempt: a repetition, by this process or after a `kill -9` by any other, sends the same bytes.
 * - Each subnet has a token of its own, for a token is bound to its parameters. The record says which subnet was asked
 *   last, and moves on only after EC2 has refused the one before *for good*: the answer to that token is "no capacity",
 *   and no machine with the instance's tag is there. A repetition begins at the recorded subnet, never again at the
 *   first, where there may be capacity by now while the machine of the former attempt lives in another zone.
 * - After the answer the machine's id goes into the record, by compare-and-swap. Whoever loses that (the instance was
 *   removed meanwhile, or a rival had moved on to another subnet) ends the machine that it has just made.
 */
import type { RunInstancesCommandInput } from "@aws-sdk/client-ec2";
import { ProviderError, ToolError } from "../../../errors.ts";
import { canonicalJson } from "../../../json.ts";
import type { Store } from "../../../store.ts";
import type { LaunchSpec } from "../../services.ts";
import type { AwsClients } from "../clients.ts";
import { asAwsError, awsErrorCode } from "../errors.ts";
import type { AwsSettings } from "../settings.ts";
import { findAmi, runInput } from "./launch-request.ts";
import type { MachineRecord, MachineRecords, RecordedMachine } from "./machine-record.ts";
import { isLive, type Machines } from "./machines.ts";
import { describeSubnets, type Placement, readTemplateVersion } from "./placement.ts";

/** Answers to a token that mean: it launched nothing, and another zone may. */
const noCapacity =
  /^(InsufficientInstanceCapacity|InsufficientHostCapacity|InsufficientFreeAddressesInSubnet|Unsupported)$/;

export interface LaunchOptions {
  settings: AwsSettings;
  clients: AwsClients;
  store: Store;
  machines: Machines;
  records: MachineRecords;
  /** All attempts in one subnet, the SDK's retries included, are given up after this long. */
  launchDeadlineMs: number;
  /** Ends machines of ours at once. */
  terminate(instance: string, ids: string[]): Promise<void>;
}

/** Returns the EC2 id. `started: false`: somebody else had launched the same machine meanwhile. */
export async function launchMachine(
  options: LaunchOptions,
  launch: { spec: LaunchSpec; placement: Placement },
): Promise<{ machine: string; started: boolean }> {
  const { records } = options;
  const { spec, placement } = launch;
  const { instance } = spec;
  const found = await records.read(instance);
  const isFirst = found === null;
  const template = await readTemplateVersion(options.clients, placement);
  let recorded = found ?? (await recordFirst(options, spec));
  for (;;) {
    if (recorded.record.machine !== null) return { machine: recorded.record.machine, started: false };
    recorded = await renew(options, instance, recorded);
    if (recorded.record.machine !== null) continue;
    const { request } = recorded.record;
    const input = runInput({ settings: options.settings, launch, request, template });
    const outcome = await run(options, input);
    if (outcome.kind === "launched") {
      const kept = await keep(options, { instance, recorded, machine: outcome.machine });
      if (kept.machine !== null) return { machine: kept.machine, started: kept.started };
      recorded = kept.recorded;
      continue;
    }
    if (outcome.kind === "failed") {
      // Refused at the first try of the first attempt: nothing was launched, nothing has to be waited for.
      if (isFirst && outcome.isCertain) await records.forget(instance, recorded.version);
      throw outcome.error;
    }
    const launched = (await options.machines.ofInstance(instance)).find(isLive);
    if (launched) {
      const kept = await keep(options, { instance, recorded, machine: launched.id });
      if (kept.machine !== null) return { machine: kept.machine, started: kept.started };
      recorded = kept.recorded;
      continue;
    }
    if (request.subnet + 1 >= Math.max(placement.subnets.length, 1)) {
      await records.forget(instance, recorded.version);
      throw await noCapacityError(options, placement, outcome.error);
    }
    const next = { ...recorded.record, request: { ...request, subnet: request.subnet + 1 } };
    recorded = await replace(options, instance, next, recorded);
  }
}

/** The record of a launch that nobody has tried yet; a rival's when that came first. */
async function recordFirst(options: LaunchOptions, spec: LaunchSpec): Promise<RecordedMachine> {
  const image = await findAmi(options, spec.image);
  const record: MachineRecord = {
    formatVersion: 1,
    machine: null,
    launchedAt: await options.store.now(),
    request: { ...image, port: spec.port, subnet: 0 },
  };
  const { current } = await options.records.write(spec.instance, record, null);
  return current ?? removedMeanwhile(spec.instance);
}

/** From here an attempt may be under way: the time from which the machine may stay invisible begins anew. */
async function renew(options: LaunchOptions, instance: string, recorded: RecordedMachine): Promise<RecordedMachine> {
  return replace(options, instance, { ...recorded.record, launchedAt: await options.store.now() }, recorded);
}

async function replace(
  { records }: LaunchOptions,
  instance: string,
  next: MachineRecord,
  recorded: RecordedMachine,
): Promise<RecordedMachine> {
  const { current } = await records.write(instance, next, recorded.version);
  return current ?? removedMeanwhile(instance);
}

/** Writes the machine's id down, or ends the machine where the record has gone another way. */
async function keep(
  options: LaunchOptions,
  { instance, recorded, machine }: { instance: string; recorded: RecordedMachine; machine: string },
): Promise<{ machine: string; started: boolean } | { machine: null; recorded: RecordedMachine }> {
  let at = recorded;
  for (;;) {
    const { written, current } = await options.records.write(instance, { ...at.record, machine }, at.version);
    if (written) return { machine, started: true };
    if (current?.record.machine === machine) return { machine, started: false };
    const isSameAttempt = current?.record.machine === null && sameRequest(current.record, recorded.record);
    if (current && isSameAttempt) {
      at = current;
      continue;
    }
    await options.terminate(instance, [machine]);
    if (!current) return removedMeanwhile(instance);
    if (current.record.machine !== null) return { machine: current.record.machine, started: false };
    return { machine: null, recorded: current };
  }
}

function sameRequest(a: MachineRecord, b: MachineRecord): boolean {
  return canonicalJson(a.request) === canonicalJson(b.request);
}

type Outcome =
  | { kind: "launched"; machine: string }
  | { kind: "no_capacity"; error: unknown }
  /** `isCertain`: EC2 refused the only try, so nothing was launched. */
  | { kind: "failed"; error: Error; isCertain: boolean };

async function run(options: LaunchOptions, input: RunInstancesCommandInput): Promise<Outcome> {
  const [{ RunInstancesCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), options.clients.ec2()]);
  const abortSignal = AbortSignal.timeout(options.launchDeadlineMs);
  try {
    const { Instances = [] } = await client.send(new RunInstancesCommand(input), { abortSignal });
    const machine = Instances[0]?.InstanceId;
    if (machine) return { kind: "launched", machine };
    return failed(
      new ProviderError("EC2 said that it launched an instance, but not which", {
        code: "aws_answer_unexpected",
        hint: "resume the operation: it finds the instance by its tag",
      }),
    );
  } catch (error) {
    if (noCapacity.test(awsErrorCode(error))) return { kind: "no_capacity", error };
    if (abortSignal.aborted) {
      return failed(
        new ProviderError(`EC2 did not answer within ${Math.round(options.launchDeadlineMs / 1000)} s`, {
          code: "aws_timeout",
          hint: "resume the operation: what was launched in spite of it is found again, not launched twice",
          cause: error,
        }),
      );
    }
    if (awsErrorCode(error) === "IdempotentParameterMismatch") {
      return failed(
        new ProviderError("EC2 has launched this instance before, with other parameters than this plan's", {
          code: "launch_differs",
          hint: "cancel the operation, which removes what was launched, and propose it again",
          cause: error,
        }),
      );
    }
    const { attempts = 1, httpStatusCode = 0 } =
      (error as { $metadata?: { attempts?: number; httpStatusCode?: number } }).$metadata ?? {};
    const isCertain = attempts === 1 && httpStatusCode >= 400 && httpStatusCode < 500;
    return { kind: "failed", error: asAwsError(error, "launching an instance"), isCertain };
  }
}

function failed(error: Error): Outcome {
  return { kind: "failed", error, isCertain: false };
}

function removedMeanwhile(instance: string): never {
  throw new ToolError(`${instance} was removed while it was being launched`, {
    code: "instance_removed",
    hint: "nothing of it is left; propose the launch again if it is still wanted",
  });
}

async function noCapacityError(
  { settings, clients }: LaunchOptions,
  placement: Placement,
  cause: unknown,
): Promise<ProviderError> {
  const known = await describeSubnets(clients, placement.subnets).catch(() => []);
  const tried = placement.subnets.map((id) => {
    const zone = known.find(({ SubnetId }) => SubnetId === id)?.AvailabilityZone;
    return zone ? `${zone} (${id})` : id;
  });
  const where = tried.length > 0 ? tried.join(", ") : `the launch template's subnet in ${settings.region}`;
  return new ProviderError(
    `AWS has no ${placement.instanceType} to give now; tried: ${where} (${awsErrorCode(cause)}: ${cause instanceof Error ? cause.message : cause}). Nothing was launched`,
    {
      code: "no_capacity",
      hint: "add subnets in other zones to `aws.subnets`, set another `aws.instanceType`, or try again later",
      cause,
    },
  );
}
