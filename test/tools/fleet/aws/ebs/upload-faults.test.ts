import { readFileSync } from "node:fs";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  blockBytes,
  clientsThrough,
  isRepaired,
  onEmulator,
  randomBlock,
  readSnapshot,
  snapshotsOf,
  startProxy,
  temporaryDirectory,
  upload,
  withEmulator,
  writeImage,
} from "./uploads.ts";

const bench = withEmulator();

const faults = {
  "10 % throttles": { "*": { p: 0.1, code: "ThrottlingException", status: 429 } },
  "10 % of 500": { "*": { p: 0.1, code: "InternalServerException", status: 500 } },
  "10 % dropped connections": { "*": { p: 0.1, drop: true } },
  "answers that are lost after the work was done": { "*": { p: 0.15, drop: true, late: true } },
  "a fresh snapshot that is not found at first": {
    "ebs:PutSnapshotBlock": { code: "ResourceNotFoundException", status: 404, times: 5 },
    "ebs:CompleteSnapshot": { code: "ResourceNotFoundException", status: 404, times: 2 },
    "ebs:ListSnapshotBlocks": { code: "ResourceNotFoundException", status: 404, times: 2 },
    "ebs:GetSnapshotBlock": { code: "ResourceNotFoundException", status: 404, times: 3 },
    "ec2:DescribeSnapshots": { code: "InvalidSnapshot.NotFound", times: 2 },
  },
};

describe.skipIf(!isRepaired)(`uploading through faults, ${onEmulator}`, () => {
  for (const [name, rules] of Object.entries(faults)) {
    it(`survives ${name}`, async () => {
      const directory = temporaryDirectory();
      onTestFinished(() => bench.emulator.setFaults({}));
      const file = writeImage(directory, [
        ...Array.from({ length: 24 }, (_, index) => (index % 4 === 3 ? null : randomBlock())),
      ]);
      bench.emulator.setFaults(rules);
      const result = await upload(bench, directory, { file });
      bench.emulator.setFaults({});
      expect(result.blocks).toBe(18);
      expect((await readSnapshot(bench.clients, result.snapshot, 24)).equals(readFileSync(file))).toBe(true);
    });
  }

  it("stops at expired credentials with the next step, and goes on with new ones", async () => {
    const directory = temporaryDirectory();
    onTestFinished(() => bench.emulator.setFaults({}));
    const token = "12".repeat(32);
    const file = writeImage(
      directory,
      Array.from({ length: 60 }, () => randomBlock()),
    );
    bench.emulator.setFaults({ "ebs:PutSnapshotBlock": { after: 40, code: "ExpiredTokenException", status: 403 } });
    const error = await upload(bench, directory, { file, token }).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({
      code: "aws_expired_token_exception",
      hint: expect.stringContaining("log in again"),
      message: expect.stringContaining("snap-"),
    });
    bench.emulator.setFaults({});
    const result = await upload(bench, directory, { file, token });
    expect(result).toMatchObject({ resumed: true, blocks: 60 });
    expect(result.bytesSent).toBeLessThanOrEqual(40 * blockBytes);
    expect((await readSnapshot(bench.clients, result.snapshot, 60)).equals(readFileSync(file))).toBe(true);
  });

  it("sends a block again that was damaged on the way", async () => {
    const directory = temporaryDirectory();
    const file = writeImage(directory, [randomBlock(), randomBlock(), randomBlock()]);
    let damaged = 0;
    const url = await startProxy(bench.emulator.url, {
      onRequest({ isPut, body }) {
        if (!isPut || damaged++ > 0) return undefined;
        body[1234] = (body[1234] ?? 0) ^ 1;
        return body;
      },
    });
    const result = await upload(bench, directory, { file, clients: clientsThrough(url) });
    expect(damaged).toBeGreaterThan(3);
    expect((await readSnapshot(bench.clients, result.snapshot, 3)).equals(readFileSync(file))).toBe(true);
  });

  it("reports a block that is damaged each time", async () => {
    const directory = temporaryDirectory();
    const file = writeImage(directory, [randomBlock(), randomBlock()]);
    const url = await startProxy(bench.emulator.url, {
      onRequest({ isPut, path, body }) {
        if (!isPut || !path.endsWith("/1")) return undefined;
        body[0] = (body[0] ?? 0) ^ 1;
        return body;
      },
    });
    await expect(upload(bench, directory, { file, clients: clientsThrough(url) })).rejects.toMatchObject({
      code: "aws_validation_exception",
      message: expect.stringContaining("block 1"),
    });
  });

  it("finds by reading back what the service keeps wrongly, and deletes nothing", async () => {
    const directory = temporaryDirectory();
    const file = writeImage(directory, [randomBlock(), randomBlock()]);
    const url = await startProxy(bench.emulator.url, {
      onAnswer({ method, path }, answer) {
        if (method !== "GET" || !/\/blocks\/1\?/.test(path)) return undefined;
        answer[99] = (answer[99] ?? 0) ^ 1;
        return answer;
      },
    });
    const error = await upload(bench, directory, { file, clients: clientsThrough(url) }).then(
      () => null,
      (thrown: { code: string; message: string }) => thrown,
    );
    expect(error).toMatchObject({ code: "snapshot_differs", message: expect.stringContaining("block 1") });
    const snapshot = /snap-[0-9a-f]+/.exec(error?.message ?? "")?.[0] ?? "";
    expect((await snapshotsOf(bench.clients))[snapshot]).toBe("completed");
  });
});
