/** An emulator, images and snapshots for tests of the uploader. */
import { randomBytes } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { GetSnapshotBlockCommand, ListSnapshotBlocksCommand } from "@aws-sdk/client-ebs";
import { DescribeSnapshotsCommand } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { type AwsClients, createAwsClients } from "../../../../../tools/fleet/aws/clients.ts";
import { blockBytes } from "../../../../../tools/fleet/aws/ebs/blocks.ts";
import { type UploadOptions, type UploadResult, uploadSnapshot } from "../../../../../tools/fleet/aws/ebs/upload.ts";
import { type Emulator, emulatorKind, emulatorRegion, startEmulator } from "../../../../support/aws.ts";
import { temporaryDirectory } from "../../../../support/temporary.ts";

export { blockBytes };

/** Plain moto takes blocks of 512 bytes only and knows no parents, so that nothing of the uploader runs on it. */
export const isRepaired = emulatorKind() === "moto, repaired and with faults";
export const onEmulator = `on ${emulatorKind() ?? "no emulator"}${isRepaired ? "" : ", whose EBS direct cannot do it: skipped"}`;

export interface UploadBench {
  emulator: Emulator;
  clients: AwsClients;
}

/** One emulator for the tests of a file. */
export function withEmulator(): UploadBench {
  const bench = {} as UploadBench;
  const ends: (() => void | Promise<void>)[] = [];
  beforeAll(async () => {
    if (!isRepaired) return;
    bench.emulator = await startEmulator({ atEnd: (work) => ends.unshift(work) });
    Object.assign(process.env, bench.emulator.environment);
    bench.clients = createAwsClients({ region: emulatorRegion });
  });
  afterAll(async () => {
    bench.clients?.close();
    for (const end of ends) await end();
  });
  return bench;
}

/** A sparse file: what is null is a hole. Returns its path. */
export function writeImage(directory: string, content: (Buffer | null)[], bytes = content.length * blockBytes): string {
  const path = join(directory, `${randomBytes(4).toString("hex")}.raw`);
  const file = openSync(path, "w");
  for (const [index, block] of content.entries())
    if (block) writeSync(file, block, 0, block.length, index * blockBytes);
  ftruncateSync(file, bytes);
  closeSync(file);
  return path;
}

export function randomBlock(): Buffer {
  return randomBytes(blockBytes);
}

export async function upload(
  bench: UploadBench,
  directory: string,
  options: Partial<UploadOptions> & { file: string },
): Promise<UploadResult> {
  return uploadSnapshot({
    parent: null,
    clients: bench.clients,
    token: randomBytes(32).toString("hex"),
    description: "a test",
    tags: { clawdinator: "true" },
    journalDirectory: join(directory, "journals"),
    onProgress: () => {},
    signal: new AbortController().signal,
    ...options,
  });
}

/** What an instance would read, from the first byte on. */
export async function readSnapshot(clients: AwsClients, snapshot: string, blocks: number): Promise<Buffer> {
  const ebs = await clients.ebs();
  const content = Buffer.alloc(blocks * blockBytes);
  const listed = await ebs.send(new ListSnapshotBlocksCommand({ SnapshotId: snapshot }));
  for (const { BlockIndex = 0, BlockToken } of listed.Blocks ?? []) {
    const answer = await ebs.send(new GetSnapshotBlockCommand({ SnapshotId: snapshot, BlockIndex, BlockToken }));
    content.set((await answer.BlockData?.transformToByteArray()) ?? [], BlockIndex * blockBytes);
  }
  return content;
}

/** Snapshots of the account that carry our tag, by id with their state. */
export async function snapshotsOf(clients: AwsClients): Promise<Record<string, string>> {
  const ec2 = await clients.ec2();
  const { Snapshots } = await ec2.send(
    new DescribeSnapshotsCommand({ Filters: [{ Name: "tag:clawdinator", Values: ["true"] }] }),
  );
  return Object.fromEntries((Snapshots ?? []).map(({ SnapshotId, State }) => [SnapshotId, State ?? ""]));
}

export interface Passing {
  method: string;
  path: string;
  isPut: boolean;
  body: Buffer;
}

/** A way to the emulator on which requests and answers are seen and can be changed. */
export async function startProxy(
  target: string,
  hooks: {
    onRequest?(passing: Passing): Buffer | undefined | Promise<Buffer | undefined>;
    onAnswer?(passing: Passing, answer: Buffer): Buffer | undefined;
  },
): Promise<string> {
  const server = createServer(async (incoming, outgoing) => {
    const { method = "GET", url = "/", headers } = incoming;
    const passing = {
      method,
      path: url,
      isPut: method === "PUT" && url.includes("/blocks/"),
      body: await bodyOf(incoming),
    };
    const body = (await hooks.onRequest?.(passing)) ?? passing.body;
    const onward = request(`${target}${url}`, { method, headers }, async (answer) => {
      const received = await bodyOf(answer);
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      outgoing.end(hooks.onAnswer?.(passing, received) ?? received);
    });
    onward.on("error", () => outgoing.destroy());
    onward.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Clients that take this way instead. */
export function clientsThrough(url: string): AwsClients {
  const before = process.env.AWS_ENDPOINT_URL;
  process.env.AWS_ENDPOINT_URL = url;
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => {
    process.env.AWS_ENDPOINT_URL = before;
    clients.close();
  });
  return clients;
}

export { temporaryDirectory };

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
