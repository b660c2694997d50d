/** A raw disk image in S3 becomes a snapshot by VM Import. The seed's way; it needs the service role `vmimport`. */
import type { ImportSnapshotTask } from "@aws-sdk/client-ec2";
import { ToolError } from "../../../errors.ts";
import { sha256 } from "../../../json.ts";
import type { AwsClients } from "../clients.ts";
import { asAwsError, aws, awsErrorCode, isCredentialFailure, isNotFound } from "../errors.ts";
import { poll } from "../poll.ts";
import { fromEc2Tags, type Tags, toEc2Tags } from "../tags.ts";
import { stepTag } from "./ami-images.ts";
import type { ImageObject } from "./image-object.ts";

/** Others have waited 100 minutes for 4 GiB; after that nothing more is to be expected. */
const importDeadlineMs = 120 * 60_000;
/** A task that was told to stop ends within seconds, or finishes what it does. */
const cancelDeadlineMs = 10 * 60_000;
/** The role that AWS' import service takes, by the name it looks for. */
const roleName = "vmimport";

export interface VmImportOptions {
  clients: Pick<AwsClients, "ec2">;
  object: ImageObject;
  /** The step's token: the same task at every attempt. */
  token: string;
  visibilitySeconds: number;
}

interface Task {
  id: string;
  state: "active" | "completed" | "failed";
  percent: string;
  message: string;
  snapshot: string | null;
}

/** Imports, or finds the import that an earlier attempt began. Gives the snapshot, which carries no tags yet. */
export async function importSnapshot(
  options: VmImportOptions & { tags: Tags; progress(text: string): void; signal: AbortSignal },
): Promise<string> {
  const { clients, signal } = options;
  const task = await begin(options);
  options.progress(`VM Import works on ${task.id}`);
  const ended = await poll({
    timeoutMs: importDeadlineMs,
    signal,
    async check() {
      const now = await look(clients, task.id);
      if (now === null) return null;
      if (now.state === "active") options.progress(`VM Import: ${now.percent} % ${now.message}`.trim());
      return now.state === "active" ? null : now;
    },
  });
  if (ended?.snapshot) return ended.snapshot;
  throw new ToolError(`VM Import ${task.id} ${ended ? `failed: ${ended.message}` : "has no end"}`, {
    code: "vm_import_failed",
    hint: "propose it again, or import by EBS direct (`--via ebs-direct`), which needs no import service",
  });
}

/**
 * Ends every import that this token began, and gives the snapshots that came of them all the same. `mayHaveBegun`: the
 * journal says that ImportSnapshot was about to be called; asking again with the same token gives that task, if there
 * is one, and costs a task that is cancelled at once if not.
 */
export async function cancelImports(
  options: VmImportOptions & { tags: Tags; mayHaveBegun: boolean; signal: AbortSignal },
): Promise<string[]> {
  const { clients, signal } = options;
  const tasks = await ofToken(options);
  if (tasks.length === 0 && options.mayHaveBegun) tasks.push(await begin(options));
  const snapshots: string[] = [];
  for (const task of tasks) {
    if (task.state === "active") await cancel(clients, task.id);
    const ended = await poll({
      timeoutMs: cancelDeadlineMs,
      signal,
      async check() {
        const now = await look(clients, task.id);
        return now?.state === "active" ? null : (now ?? { ...task, snapshot: null });
      },
    });
    if (ended?.snapshot) snapshots.push(ended.snapshot);
  }
  return snapshots;
}

async function begin(options: VmImportOptions & { tags: Tags; signal: AbortSignal }): Promise<Task> {
  const { object, token } = options;
  const [{ ImportSnapshotCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), options.clients.ec2()]);
  const command = new ImportSnapshotCommand({
    ClientToken: clientToken(token),
    Description: describe(token),
    DiskContainer: { Format: "RAW", UserBucket: { S3Bucket: object.bucket, S3Key: object.key } },
    RoleName: roleName,
    TagSpecifications: [{ ResourceType: "import-snapshot-task", Tags: toEc2Tags(options.tags) }],
  });
  const what = `importing s3://${object.bucket}/${object.key}`;
  const answer = await aws(what, () => client.send(command, { abortSignal: options.signal }));
  return toTask(answer);
}

/** Null while EC2 does not show a task that was begun a moment ago. */
async function look(clients: Pick<AwsClients, "ec2">, id: string): Promise<Task | null> {
  const [{ DescribeImportSnapshotTasksCommand }, client] = await Promise.all([
    import("@aws-sdk/client-ec2"),
    clients.ec2(),
  ]);
  try {
    const answer = await client.send(new DescribeImportSnapshotTasksCommand({ ImportTaskIds: [id] }));
    const task = answer.ImportSnapshotTasks?.[0];
    return task ? toTask(task) : null;
  } catch (error) {
    if (isNotFound(error) || awsErrorCode(error) === "InvalidConversionTaskId") return null;
    throw asAwsError(error, `looking at ${id}`);
  }
}

/** Tasks that carry the token as a tag or in their description, whoever began them. */
async function ofToken(options: VmImportOptions): Promise<Task[]> {
  const [{ paginateDescribeImportSnapshotTasks }, client] = await Promise.all([
    import("@aws-sdk/client-ec2"),
    options.clients.ec2(),
  ]);
  return aws("listing import tasks", async () => {
    const found: Task[] = [];
    for await (const page of paginateDescribeImportSnapshotTasks({ client }, {})) {
      for (const task of page.ImportSnapshotTasks ?? []) {
        const isOurs =
          fromEc2Tags(task.Tags)[stepTag] === options.token || task.Description === describe(options.token);
        if (isOurs) found.push(toTask(task));
      }
    }
    return found;
  });
}

async function cancel(clients: Pick<AwsClients, "ec2">, id: string): Promise<void> {
  const [{ CancelImportTaskCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  try {
    await client.send(new CancelImportTaskCommand({ ImportTaskId: id, CancelReason: "the operation was given up" }));
  } catch (error) {
    // One that has ended, or is too far to be stopped, cannot be cancelled: what comes of it is deleted instead.
    if (isCredentialFailure(error)) throw asAwsError(error, `cancelling ${id}`);
  }
}

function toTask(task: ImportSnapshotTask): Task {
  const { Status, SnapshotId, StatusMessage = "", Progress = "0" } = task.SnapshotTaskDetail ?? {};
  const state = Status === "completed" ? "completed" : Status?.startsWith("delet") ? "failed" : "active";
  const snapshot = state === "completed" ? (SnapshotId ?? null) : null;
  return { id: task.ImportTaskId ?? "", state, percent: Progress, message: StatusMessage, snapshot };
}

function clientToken(token: string): string {
  return sha256(`import-snapshot ${token}`);
}

function describe(token: string): string {
  return `clawdinator ${clientToken(token).slice(0, 32)}`;
}
