/** What a launch would rely on and cost, looked up when a plan is made. Changes nothing. */
import { ToolError } from "../../../errors.ts";
import type { Json } from "../../../json.ts";
import type { LaunchPlan } from "../../services.ts";
import type { AwsClients } from "../clients.ts";
import { checkFileSystem } from "../efs.ts";
import { instanceCost, pricesDate } from "../prices.ts";
import type { AwsSettings } from "../settings.ts";
import { currentCost } from "./fleet-cost.ts";
import type { Machines } from "./machines.ts";
import { resolvePlacement } from "./placement.ts";

/** Throws ToolError where an instance could not be launched, or could not mount the memory. */
export async function planAwsLaunch(options: {
  settings: AwsSettings;
  clients: AwsClients;
  machines: Machines;
}): Promise<LaunchPlan> {
  const { settings, clients, machines } = options;
  const [{ placement, hasPublicAddress }, memory, running] = await Promise.all([
    resolvePlacement(options),
    settings.fileSystem
      ? checkFileSystem({ clients, fileSystem: settings.fileSystem, subnets: settings.subnets })
      : null,
    machines.all(),
  ]);
  if (memory && memory.problems.length > 0) {
    throw new ToolError(`an instance could not mount the memory: ${memory.problems.join("; ")}`, {
      code: "file_system_unusable",
      hint: "mend that and propose the launch again; `clawdinator doctor` looks at it too",
    });
  }
  const { region, instanceType, rootGiB } = settings;
  const cost = instanceCost({ region, type: instanceType, rootGiB, publicAddress: hasPublicAddress });
  const current = await currentCost({ ...options, machines: running, fileSystemUsd: memory?.monthlyUsd ?? 0 });
  const unpriced = [...new Set([...(cost.isTypeKnown ? [] : [instanceType]), ...current.unknownTypes])];
  return {
    placement: placement as unknown as Json,
    monthlyUsd: cost.monthlyUsd,
    currentMonthlyUsd: current.monthlyUsd,
    note: cost.note,
    warnings: [
      ...unpriced.map(
        (type) => `the price of ${type} is not in the table of ${pricesDate}: the estimate is too low by what it costs`,
      ),
      ...(memory?.warnings ?? []),
    ],
  };
}
