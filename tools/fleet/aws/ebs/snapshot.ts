/** The life of a snapshot around its blocks: looked up, started, given up, completed, waited for. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { EBSClient } from "@aws-sdk/client-ebs";
import type { EC2Client, Filter, Snapshot } from "@aws-sdk/client-ec2";
import { ProviderError, ToolError } from "../../../errors.ts";
import { aws, awsErrorCode, isNotFound } from "../errors.ts";
import { type Tags, tokenTag } from "../tags.ts";
import { persist, visibilityMs } from "./retry.ts";

/** Minutes after which the service cancels a snapshot that nobody writes to: time to notice, and to resume. */
const abandonedMinutes = 24 * 60;
const pollMs = 1_000;
const longestPollMs = 5_000;
/** AWS takes minutes for large snapshots. */
const completionMs = 30 * 60_000;

export type Ec2 = () => Promise<EC2Client>;

/** Snapshots of this account that carry the upload's token. */
export async function findByToken(ec2: Ec2, token: string): Promise<Snapshot[]> {
  const query = { filters: [{ Name: `tag:${tokenTag}`, Values: [token] }] };
  return describe(ec2, query, "looking for an earlier upload").catch((error: Error) => {
    if (isNotFound(error.cause)) return [];
    throw error;
  });
}

/** Null when it does not exist, also not after `visibility` milliseconds. */
export async function findSnapshot(
  ec2: Ec2,
  snapshot: string,
  options: { visibility: number; signal: AbortSignal },
): Promise<Snapshot | null> {
  const deadline = performance.now() + options.visibility;
  for (;;) {
    const found = await describe(ec2, { ids: [snapshot] }, `looking at ${snapshot}`).catch((error: Error) => {
      if (isNotFound(error.cause)) return [];
      throw error;
    });
    if (found[0]) return found[0];
    if (performance.now() >= deadline) return null;
    await sleep(pollMs, undefined, { signal: options.signal });
  }
}

async function describe(ec2: Ec2, query: { ids?: string[]; filters?: Filter[] }, what: string): Promise<Snapshot[]> {
  const { DescribeSnapshotsCommand } = await import("@aws-sdk/client-ec2");
  const client = await ec2();
  const { Snapshots } = await aws(what, () =>
    client.send(
      new DescribeSnapshotsCommand(
        query.ids ? { SnapshotIds: query.ids } : { OwnerIds: ["self"], Filters: query.filters ?? [] },
      ),
    ),
  );
  return Snapshots ?? [];
}

/** Deletes an unfinished snapshot; one that is gone already is as good. */
export async function deleteUnfinished(ec2: Ec2, snapshot: string): Promise<void> {
  const { DeleteSnapshotCommand } = await import("@aws-sdk/client-ec2");
  const client = await ec2();
  try {
    await client.send(new DeleteSnapshotCommand({ SnapshotId: snapshot }));
  } catch (error) {
    if (!isNotFound(error)) await aws(`deleting the unfinished ${snapshot}`, () => Promise.reject(error));
  }
}

export interface StartedSnapshot {
  snapshot: string;
  isCompleted: boolean;
  /** By the service's clock, milliseconds since 1970. */
  startedAt: number;
}

/** Starts it, or finds the one that was started with this client token. */
export async function startSnapshot(options: {
  ebs: EBSClient;
  clientToken: string;
  volumeGiB: number;
  parent: string | null;
  description: string;
  tags: Tags;
  signal: AbortSignal;
}): Promise<StartedSnapshot> {
  const { ebs, parent, signal } = options;
  const { StartSnapshotCommand } = await import("@aws-sdk/client-ebs");
  const command = new StartSnapshotCommand({
    VolumeSize: options.volumeGiB,
    ClientToken: options.clientToken,
    Description: options.description,
    Timeout: abandonedMinutes,
    Tags: Object.entries(options.tags).map(([Key, Value]) => ({ Key, Value })),
    ...(parent !== null && { ParentSnapshotId: parent }),
  });
  const answer = await persist("starting the snapshot", { signal }, () =>
    ebs.send(command, { abortSignal: signal }),
  ).catch((error: Error) => {
    if (parent === null || !isNotFound(error.cause)) throw error;
    throw new ToolError(`the parent snapshot ${parent} does not exist here, or is not completed`, {
      code: "unknown_parent",
      hint: "see `aws ec2 describe-snapshots --owner-ids self`; leave --parent out to send the whole image",
      cause: error,
    });
  });
  if (!answer.SnapshotId)
    throw new ProviderError("starting the snapshot failed: the answer names none", {
      code: "aws_no_snapshot",
      hint: "try again; if it stays, the AWS health page says more",
    });
  return {
    snapshot: answer.SnapshotId,
    isCompleted: answer.Status === "completed",
    startedAt: answer.StartTime?.getTime() ?? Date.now(),
  };
}

/**
 * Seals the snapshot with the count and the checksum of all blocks that were put, and waits until it can be used. Safe
 * to repeat: an answer that was lost does not matter.
 */
export async function completeSnapshot(options: {
  ebs: EBSClient;
  ec2: Ec2;
  snapshot: string;
  /** Hash of every block that was put, by index. */
  blocks: ReadonlyMap<number, Buffer>;
  /** An earlier attempt may have sealed it already. */
  maybeSealed: boolean;
  signal: AbortSignal;
}): Promise<void> {
  const { ebs, ec2, snapshot, blocks, signal } = options;
  const { CompleteSnapshotCommand } = await import("@aws-sdk/client-ebs");
  const command = new CompleteSnapshotCommand({
    SnapshotId: snapshot,
    ChangedBlocksCount: blocks.size,
    ...(blocks.size > 0 && {
      Checksum: linearChecksum(blocks),
      ChecksumAlgorithm: "SHA256" as const,
      ChecksumAggregationMethod: "LINEAR" as const,
    }),
  });
  let calls = 0;
  let status: string | undefined;
  try {
    const answer = await persist(`completing ${snapshot}`, { signal, visibility: visibilityMs }, () => {
      calls++;
      return ebs.send(command, { abortSignal: signal });
    });
    status = answer.Status;
  } catch (error) {
    // A snapshot that an unheard call sealed takes no second one.
    const isRefused = /^(ValidationException|ConflictException)$/.test(awsErrorCode((error as Error).cause));
    if (!isRefused || (calls === 1 && !options.maybeSealed)) throw error;
    status = (await findSnapshot(ec2, snapshot, { visibility: 0, signal }))?.State;
    if (status !== "completed" && status !== "pending") throw error;
  }
  if (status !== "completed") await waitCompleted({ ec2, snapshot, signal });
}

/** SHA-256 over the hashes of the blocks in index order. */
function linearChecksum(blocks: ReadonlyMap<number, Buffer>): string {
  const hash = createHash("sha256");
  for (const index of [...blocks.keys()].sort((one, other) => one - other)) hash.update(blocks.get(index) ?? "");
  return hash.digest("base64");
}

async function waitCompleted(options: { ec2: Ec2; snapshot: string; signal: AbortSignal }): Promise<void> {
  const { ec2, snapshot, signal } = options;
  const deadline = performance.now() + completionMs;
  for (let pause = pollMs; ; pause = Math.min(pause * 1.5, longestPollMs)) {
    const found = await findSnapshot(ec2, snapshot, { visibility: visibilityMs, signal });
    if (found?.State === "completed") return;
    if (!found || found.State === "error")
      throw new ProviderError(
        `${snapshot} ${found ? `failed: ${found.StateMessage ?? "the service gives no reason"}` : "has disappeared"}`,
        { code: "snapshot_failed", hint: "run it again: a new snapshot is begun" },
      );
    if (performance.now() >= deadline)
      throw new ProviderError(`${snapshot} is still ${found.State} after ${completionMs / 60_000} minutes`, {
        code: "snapshot_slow",
        hint: "run it again to go on waiting; the blocks are all there",
      });
    await sleep(pause, undefined, { signal });
  }
}
