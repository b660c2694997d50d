/**
 * Systems Manager: a shell on a machine without SSH, and the fast lane that brings a running instance to another
 * revision by `nixos-rebuild switch` instead of a fresh machine.
 */
import type { Command, GetCommandInvocationResult, SSMClient } from "@aws-sdk/client-ssm";
import { ProviderError, ToolError } from "../../errors.ts";
import type { AwsClients } from "./clients.ts";
import { asAwsError, aws, awsErrorCode } from "./errors.ts";
import { poll } from "./poll.ts";

/** Made by the stack in tofu/; takes nothing but `revision`. */
export const switchDocument = "clawdinator-switch";

/** A rebuild fetches what a cache has and may build the rest on a small machine. */
const switchDeadlineMs = 30 * 60_000;
/** Longer than the document's own limit would be of no use; SSM ends the command by itself after it. */
const deliverySeconds = 120;
const outputLines = 20;

/** `GetCommandInvocation` Status values from which nothing more comes. */
const ended = new Set(["Success", "Cancelled", "TimedOut", "Failed"]);

/** How a person gets a shell on the machine. */
export function sessionCommand(machine: string, region: string): string {
  return `aws ssm start-session --target ${machine} --region ${region}`;
}

export interface SwitchOptions {
  clients: AwsClients;
  /** EC2 instance id. */
  machine: string;
  /** Full commit id. */
  revision: string;
  /** The same at every attempt: a command that an earlier attempt sent is followed, not sent again. */
  token: string;
  /** The token of a switch that this one undoes: nothing is done where it sent nothing, and what still runs is cancelled. */
  undoes?: string | null;
  /** Whether the instance says of itself that it runs the revision. */
  verify(): Promise<boolean>;
  progress(text: string): void;
  signal: AbortSignal;
  deadlineMs?: number;
}

/**
 * Switches the machine and waits until the instance has shown that it runs the revision. Safe to repeat. Throws
 * ToolError with the end of the command's output when it failed, and when the instance never said so.
 */
export async function switchInstance(options: SwitchOptions): Promise<{ command: string | null }> {
  const { clients, machine, revision } = options;
  if (!/^[0-9a-f]{40}$/.test(revision)) {
    throw new ToolError(`${machine} can be switched to a full commit id only`, {
      code: "invalid_revision",
      hint: "give the commit's 40 hex digits",
    });
  }
  const client = await clients.ssm();
  const end = performance.now() + (options.deadlineMs ?? switchDeadlineMs);
  if (options.undoes && !(await endUndone(client, { ...options, end }))) return { command: null };
  const sent = await commandsOf(client, options, options.token);
  // One that failed is over: this attempt is a new one.
  const usable = sent.find(({ Status }) => !ended.has(Status ?? "") || Status === "Success");
  const command = usable?.CommandId ?? (await sendCommand(client, options));
  options.progress(`${machine}: nixos-rebuild switch to ${revision.slice(0, 12)} (command ${command})`);
  const result = await followCommand(client, { ...options, command, end });
  if (result.Status !== "Success") throw failureOf(result, options);
  options.progress(`${machine}: switched; waiting until the instance says so itself`);
  const isVerified = await poll({
    timeoutMs: Math.max(0, end - performance.now()),
    signal: options.signal,
    check: async () => (await options.verify()) || null,
  });
  if (!isVerified) {
    throw new ToolError(`${machine} was switched to ${revision.slice(0, 12)}, and its instance never said so`, {
      code: "switch_unverified",
      hint: `look at its units: \`${sessionCommand(machine, clients.region)}\`, then \`systemctl status 'clawdinator*'\``,
    });
  }
  return { command };
}

/** What earlier attempts with this token sent; SendCommand has no token of its own, so the comment carries ours. */
async function commandsOf(client: SSMClient, { machine }: SwitchOptions, token: string): Promise<Command[]> {
  const { ListCommandsCommand } = await import("@aws-sdk/client-ssm");
  const Filters = [{ key: "DocumentName" as const, value: switchDocument }];
  const { Commands } = await aws(`looking for commands of ${machine}`, () =>
    client.send(new ListCommandsCommand({ InstanceId: machine, Filters })),
  );
  return (Commands ?? []).filter((command) => command.Comment?.startsWith(commentStart(token)));
}

/** SSM takes 100 characters. */
function commentStart(token: string): string {
  return `clawdinator ${token.slice(0, 37)} `;
}

/** Whether the switch that is undone sent anything; when it returns, none of it runs any more. */
async function endUndone(client: SSMClient, options: SwitchOptions & { end: number }): Promise<boolean> {
  const { CancelCommandCommand } = await import("@aws-sdk/client-ssm");
  const sent = await commandsOf(client, options, options.undoes ?? "");
  for (const { CommandId: command, Status } of sent) {
    if (!command || ended.has(Status ?? "")) continue;
    await aws(`cancelling the switch of ${options.machine}`, () =>
      client.send(new CancelCommandCommand({ CommandId: command, InstanceIds: [options.machine] })),
    );
    await followCommand(client, { ...options, command });
  }
  return sent.length > 0;
}

async function sendCommand(client: SSMClient, options: SwitchOptions): Promise<string> {
  const { SendCommandCommand } = await import("@aws-sdk/client-ssm");
  const { machine, revision, clients } = options;
  try {
    const { Command } = await client.send(
      new SendCommandCommand({
        DocumentName: switchDocument,
        InstanceIds: [machine],
        Parameters: { revision: [revision] },
        Comment: `${commentStart(options.token)}${revision}`,
        TimeoutSeconds: deliverySeconds,
      }),
    );
    if (Command?.CommandId) return Command.CommandId;
    throw new Error("the answer names no command");
  } catch (error) {
    const code = awsErrorCode(error);
    if (code === "InvalidInstanceId") {
      throw new ProviderError(`Systems Manager does not know ${machine}`, {
        code: "machine_unmanaged",
        hint: `it takes some minutes after a start; else its agent or its role is at fault: \`aws ec2 get-console-output --latest --instance-id ${machine} --region ${clients.region}\``,
        cause: error,
      });
    }
    if (code === "InvalidDocument") {
      throw new ProviderError(`there is no document ${switchDocument} in ${clients.region}`, {
        code: "switch_document_missing",
        hint: "apply the stack in tofu/, which makes it; or use instance_replace",
        cause: error,
      });
    }
    throw asAwsError(error, `sending the switch to ${machine}`);
  }
}

/** Until a terminal state. What is not visible yet, and a question that was throttled, is asked again at the next look. */
async function followCommand(
  client: SSMClient,
  options: SwitchOptions & { command: string; end: number },
): Promise<GetCommandInvocationResult> {
  const { GetCommandInvocationCommand } = await import("@aws-sdk/client-ssm");
  const { machine, command } = options;
  let last = "";
  const look = async (): Promise<GetCommandInvocationResult | null> => {
    try {
      const found = await client.send(new GetCommandInvocationCommand({ CommandId: command, InstanceId: machine }));
      if (ended.has(found.Status ?? "")) return found;
      if (found.Status && found.Status !== last) options.progress(`${machine}: ${found.Status}`);
      last = found.Status ?? last;
    } catch (error) {
      if (!isPassing(error)) throw asAwsError(error, `following the switch of ${machine}`);
    }
    return null;
  };
  const timeoutMs = Math.max(0, options.end - performance.now());
  const result = await poll({ timeoutMs, signal: options.signal, check: look });
  if (result) return result;
  throw new ToolError(`the switch of ${machine} has not ended in time${last ? ` (${last})` : ""}`, {
    code: "deadline",
    hint: `\`aws ssm get-command-invocation --command-id ${command} --instance-id ${machine} --region ${options.clients.region}\` says where it is`,
  });
}

function isPassing(error: unknown): boolean {
  const isTheirs = (error as { $fault?: string }).$fault === "server";
  return (
    /^(InvocationDoesNotExist|Throttling|ThrottlingException|RequestLimitExceeded)$/.test(awsErrorCode(error)) ||
    isTheirs
  );
}

function failureOf(result: GetCommandInvocationResult, { machine, revision, clients }: SwitchOptions): ToolError {
  const text = result.StandardErrorContent || result.StandardOutputContent || "";
  const log = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .slice(-outputLines);
  const why = log.length > 0 ? `: ${log.slice(-3).join(" / ")}` : "";
  const error = new ToolError(
    `switching ${machine} to ${revision.slice(0, 12)} ended as ${result.StatusDetails || result.Status}${why}`,
    {
      code: "switch_failed",
      hint: `its whole log: \`${sessionCommand(machine, clients.region)}\`, then \`journalctl -u 'clawdinator-switch@*'\``,
    },
  );
  return Object.assign(error, { log });
}
