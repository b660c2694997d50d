/** The last words: what runs where, how to reach it, what to do next. */
import type { Output } from "../agent/cli/output.ts";
import { estimateCost } from "./cost.ts";
import { readSettings } from "./settings-file.ts";
import type { BootstrapContext } from "./step.ts";
import { followRemote } from "./steps/fleet-repository.ts";
import { readyInstance } from "./steps/follow.ts";
import { adminToken } from "./token.ts";

const defaultPort = 18_789;

/** Printed by the command line itself: the login link is for the person, and stands in no log line. */
export async function showSummary(context: BootstrapContext, output: Output): Promise<void> {
  const { options, journal, paths } = context;
  const settings = await readSettings(context);
  const fleet = await context.fleet();
  await followRemote(context);
  const ready = await readyInstance(context, fleet);
  const token = (await adminToken(context, fleet.core))?.token ?? null;
  const port = ready?.port ?? defaultPort;
  const machine = ready?.machine ?? "INSTANCE";
  const region = options.region;
  const session = `aws ssm start-session --region ${region} --target ${machine}`;
  const forward = `${session} --document-name AWS-StartPortForwardingSession --parameters portNumber=${port},localPortNumber=${port}`;
  const cost = settings ? estimateCost({ settings, sendsImage: false }).monthlyUsd : null;
  const missing = journal.outputs("secrets").missing;
  const value = {
    at: new Date().toISOString(),
    step: "done",
    kind: "result",
    name: options.name,
    fleet: options.fleet,
    region,
    instance: ready?.instance ?? null,
    machine: ready?.machine ?? null,
    session,
    console: forward,
    credentials: paths.credentials,
    configuration: paths.config,
    fleetRepository: options.directory,
    monthlyUsd: cost,
  };
  const login = token ? `http://127.0.0.1:${port}/#login=${token}` : `http://127.0.0.1:${port}/`;
  output.line(
    value,
    [
      "",
      `${options.name} is ready: ${value.instance} on ${value.machine} in ${region}`,
      "",
      "Open its console (leave the first command running):",
      `  ${forward}`,
      `  ${login}`,
      "Look at the machine:",
      `  ${session}`,
      "",
      `Its fleet repository:   ${options.directory}`,
      `Your token:             ${paths.credentials} (mode 0600)`,
      `Commands for this fleet: clawdinator secrets list --config ${paths.config}`,
      ...(cost === null ? [] : [`Costs about:            $${cost.toFixed(2)} a month`]),
      ...(Array.isArray(missing) && missing.length > 0
        ? [`Still without:          ${missing.join(", ")} (clawdinator bootstrap --only secrets)`]
        : []),
      "",
      'Next: ask it in the console, such as "spawn a sibling". Remove everything: clawdinator bootstrap --teardown',
    ].join("\n"),
  );
}
