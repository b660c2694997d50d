import { readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  blockBytes,
  isRepaired,
  onEmulator,
  randomBlock,
  readSnapshot,
  snapshotsOf,
  temporaryDirectory,
  upload,
  withEmulator,
  writeImage,
} from "./uploads.ts";

const bench = withEmulator();

describe.skipIf(!isRepaired)(`uploading an image, ${onEmulator}`, () => {
  it("makes a snapshot that reads like any sparse image, byte for byte, and sends no zeros", async () => {
    const directory = temporaryDirectory();
    const kind = fc.constantFrom("hole", "zeros", "random", "late byte");
    await fc.assert(
      fc.asyncProperty(fc.array(kind, { minLength: 1, maxLength: 10 }), fc.nat(blockBytes - 1), async (kinds, cut) => {
        const late = Buffer.alloc(blockBytes);
        late[blockBytes - 1] = 1;
        const content = kinds.map((one) => {
          if (one === "hole") return null;
          if (one === "late byte") return late;
          return one === "zeros" ? Buffer.alloc(blockBytes) : randomBlock();
        });
        const file = writeImage(directory, content, Math.max(1, content.length * blockBytes - cut));
        const result = await upload(bench, directory, { file });
        const wanted = Buffer.alloc(content.length * blockBytes);
        const written = readFileSync(file);
        wanted.set(written);
        const sent = content.filter((_, index) =>
          wanted.subarray(index * blockBytes, (index + 1) * blockBytes).some(Boolean),
        );
        expect(result).toMatchObject({ blocks: sent.length, bytesSent: sent.length * blockBytes, resumed: false });
        expect(result.blocksTotal).toBe(content.length);
        expect((await readSnapshot(bench.clients, result.snapshot, content.length)).equals(wanted)).toBe(true);
      }),
      { numRuns: 12 },
    );
  });

  it("sends only differences along a chain of 20 parents, blocks that become zero included", async () => {
    const directory = temporaryDirectory();
    const content: (Buffer | null)[] = Array.from({ length: 8 }, () => randomBlock());
    let parent: string | null = null;
    for (let generation = 0; generation < 20; generation++) {
      const changed = [generation % 8, (generation * 3 + 1) % 8];
      if (generation > 0) {
        content[changed[0] ?? 0] = generation % 3 === 0 ? randomBlock() : null;
        content[changed[1] ?? 0] = generation % 4 === 1 ? null : randomBlock();
      }
      // A machine that never saw the parent reads it back.
      const journals = generation % 5 === 4 ? join(directory, `elsewhere-${generation}`) : join(directory, "journals");
      const file = writeImage(directory, content);
      const result = await upload(bench, directory, { file, parent, journalDirectory: journals });
      if (generation > 0) expect(result.blocks).toBeLessThanOrEqual(2);
      expect(result.parent).toBe(parent);
      const wanted = Buffer.concat(content.map((block) => block ?? Buffer.alloc(blockBytes)));
      expect((await readSnapshot(bench.clients, result.snapshot, 8)).equals(wanted), `generation ${generation}`).toBe(
        true,
      );
      parent = result.snapshot;
    }
  });

  it("lets nothing of a longer parent shine through behind a shorter image", async () => {
    const directory = temporaryDirectory();
    const [first, second, third] = [randomBlock(), randomBlock(), randomBlock()];
    const long = await upload(bench, directory, { file: writeImage(directory, [first, second, third]) });
    const short = await upload(bench, directory, { file: writeImage(directory, [first, null]), parent: long.snapshot });
    expect(short.blocks).toBe(2);
    const wanted = Buffer.concat([first, Buffer.alloc(2 * blockBytes)]);
    expect((await readSnapshot(bench.clients, short.snapshot, 3)).equals(wanted)).toBe(true);
    const longer = await upload(bench, directory, {
      file: writeImage(directory, [first, null, null, second]),
      parent: short.snapshot,
    });
    expect(longer.blocks).toBe(1);
  });

  it("returns the finished snapshot to the same token, here and on a machine without its journal", async () => {
    const directory = temporaryDirectory();
    const file = writeImage(directory, [randomBlock(), null, randomBlock()]);
    const token = "ab".repeat(32);
    const first = await upload(bench, directory, { file, token });
    const again = await upload(bench, directory, { file, token });
    const elsewhere = await upload(bench, directory, { file, token, journalDirectory: join(directory, "elsewhere") });
    expect([again.snapshot, elsewhere.snapshot]).toEqual([first.snapshot, first.snapshot]);
    expect([again.bytesSent, elsewhere.bytesSent]).toEqual([0, 0]);
    expect(again.blocks).toBe(2);
  });

  it("gives up an unfinished snapshot whose file has changed since, and deletes it", async () => {
    const directory = temporaryDirectory();
    const token = "cd".repeat(32);
    const file = writeImage(directory, [randomBlock(), randomBlock(), randomBlock()]);
    const stop = new AbortController();
    const before = Object.keys(await snapshotsOf(bench.clients)).length;
    bench.emulator.setFaults({ "ebs:PutSnapshotBlock": { after: 1, code: "InternalServerException", status: 500 } });
    const broken = upload(bench, directory, {
      file,
      token,
      signal: stop.signal,
      onProgress: ({ bytesSent }) => bytesSent > 0 && stop.abort(new Error("enough")),
    });
    await expect(broken).rejects.toThrow();
    bench.emulator.setFaults({});
    writeFileSync(file, Buffer.concat([randomBlock(), randomBlock()]));
    const result = await upload(bench, directory, { file, token });
    expect(result).toMatchObject({ blocks: 2, resumed: false });
    expect(Object.keys(await snapshotsOf(bench.clients)).length).toBe(before + 1);
    expect((await readSnapshot(bench.clients, result.snapshot, 2)).equals(readFileSync(file))).toBe(true);
  });

  it("notices a file that changes while it is read", async () => {
    const directory = temporaryDirectory();
    const file = writeImage(directory, [randomBlock(), randomBlock()]);
    let isTouched = false;
    const touched = upload(bench, directory, {
      file,
      onProgress() {
        if (isTouched) return;
        isTouched = true;
        utimesSync(file, 1, 1);
      },
      clients: {
        ...bench.clients,
        ebs: async () => {
          utimesSync(file, 2, 2);
          return bench.clients.ebs();
        },
      },
    });
    await expect(touched).rejects.toMatchObject({ code: "image_changed" });
  });

  it("says what is wrong with a file or a parent", async () => {
    const directory = temporaryDirectory();
    const empty = join(directory, "empty.raw");
    writeFileSync(empty, "");
    const image = writeImage(directory, [randomBlock()]);
    await expect(upload(bench, directory, { file: join(directory, "none") })).rejects.toMatchObject({
      code: "image_unreadable",
    });
    await expect(upload(bench, directory, { file: directory })).rejects.toMatchObject({ code: "image_not_a_file" });
    await expect(upload(bench, directory, { file: empty })).rejects.toMatchObject({ code: "image_empty" });
    await expect(upload(bench, directory, { file: image, parent: "snap-0123456789abcdef0" })).rejects.toMatchObject({
      code: "unknown_parent",
    });
  });

  it("refuses a journal of another format, and drops a torn end of its own", async () => {
    const directory = temporaryDirectory();
    const token = "ef".repeat(32);
    const file = writeImage(directory, [randomBlock(), randomBlock()]);
    const journal = join(directory, "journals", `${token}.journal`);
    const first = await upload(bench, directory, { file, token });
    truncateSync(journal, statSync(journal).size);
    const text = readFileSync(journal, "utf8");
    writeFileSync(journal, text.replace('"version":1', '"version":2'));
    await expect(upload(bench, directory, { file, token })).rejects.toMatchObject({ code: "journal_version" });
    writeFileSync(journal, `${text}torn`);
    expect((await upload(bench, directory, { file, token })).snapshot).toBe(first.snapshot);
  });
});
