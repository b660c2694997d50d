/** The uploader of disk images, as its users see it: `image upload` from the start of the process to its end. */
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { blockBytes, blocksIn, createBlockTable } from "../../tools/fleet/aws/ebs/blocks.ts";
import { startScan } from "../../tools/fleet/aws/ebs/scan.ts";
import { buildSink, type Sink, startSink } from "../support/ebs-sink.ts";

const imageBytes = 2 * 1024 ** 3;
const dataBytes = 600 * 1024 ** 2;
/** Data lies in stretches of this size, as files do in an image. */
const stretchBytes = 2 * 1024 ** 2;
const latency = ["-latency", "15ms", "-jitter", "5ms"];
const faults = [...latency, "-p503", "0.01", "-pthrottle", "0.01", "-pdrop", "0.002"];
/** coldsnap with zero blocks left out, measured elsewhere on a machine of two cores. */
const peerSeconds = 1.6;
const peerSecondsWithFaults = 3.4;

export interface UploadFigure {
  name: string;
  unit: string;
  values: number[];
  limit?: number;
  /** The limit is the least that is wanted. */
  isLeast?: boolean;
  peer?: number;
}

interface Run {
  seconds: number;
  megabytes: number;
  result: { snapshot: string; blocks: number; bytesSent: number; blocksTotal: number };
}

/** Figures, or why there are none. */
export async function measureUploads(options: {
  directory: string;
  program: string;
  runs: number;
  note(text: string): void;
}): Promise<{ figures: UploadFigure[]; skipped: string | null }> {
  const { program, runs, note } = options;
  const directory = join(options.directory, "upload");
  mkdirSync(directory);
  const image = join(directory, "image.raw");
  writeImage(image);
  const scanned = await measureScan(image);
  const figures: UploadFigure[] = [
    { name: "image hashed, holes found", unit: "GB/s", values: scanned, limit: 1.5, isLeast: true },
  ];
  const built = buildSink(directory);
  if ("missing" in built) {
    rmSync(directory, { recursive: true });
    return { figures, skipped: built.missing };
  }
  const upload = (sink: Sink, home: string, parameters: string[] = []) =>
    runUpload({ program, directory, image, home, sink, parameters });
  const coldsnap = async (sink: Sink, count: number): Promise<number | undefined> => {
    if (spawnSync("coldsnap", ["--version"]).error) return undefined;
    const times: number[] = [];
    for (let run = 0; run < count; run++) {
      await sink.reset({ all: true });
      times.push(runColdsnap(sink, image));
    }
    return Math.round((times.sort((one, other) => one - other)[Math.floor(count / 2)] ?? 0) * 100) / 100;
  };
  const repeat = async (sink: Sink, name: string): Promise<Run[]> => {
    const all: Run[] = [];
    for (let run = 0; run < runs; run++) {
      note(`${name}, run ${run + 1} of ${runs}`);
      await sink.reset({ all: true });
      all.push(await upload(sink, join(directory, `${name}-${run}`)));
    }
    return all;
  };

  let sink = await startSink(built.path, latency);
  try {
    // Nothing is compiled yet.
    const first = await upload(sink, join(directory, "first"));
    const plain = await repeat(sink, "upload");
    // The same image again would be the same snapshot, and this machine would have no list of its blocks.
    await sink.reset({ all: true });
    const base = await upload(sink, join(directory, "incremental"));
    changeBlocks(image, Math.floor(blocksIn(imageBytes) / 100));
    note("incremental upload");
    const next = await upload(sink, join(directory, "incremental"), ["--parent", base.result.snapshot]);
    figures.push(
      {
        name: "upload, 2 GiB with 600 MiB of data, 15 ms",
        unit: "s",
        values: plain.map(({ seconds }) => seconds),
        limit: peerSeconds,
        peer: (await coldsnap(sink, runs)) ?? peerSeconds,
      },
      { name: "upload, peak memory", unit: "MB", values: plain.map(({ megabytes }) => megabytes), limit: 160 },
      { name: "upload, peak memory at the first start", unit: "MB", values: [first.megabytes], limit: 160 },
      {
        name: "upload, 1 % changed: blocks sent",
        unit: "%",
        values: [(100 * next.result.blocks) / next.result.blocksTotal],
        limit: 1.1,
      },
      { name: "upload, 1 % changed", unit: "s", values: [next.seconds] },
    );
    await sink.stop();
    sink = await startSink(built.path, faults);
    const faulty = await repeat(sink, "upload with faults");
    figures.push({
      name: "upload, 1 % 503, 1 % throttles, 0.2 % drops",
      unit: "s",
      values: faulty.map(({ seconds }) => seconds),
      limit: peerSecondsWithFaults / 2,
      peer: (await coldsnap(sink, runs)) ?? peerSecondsWithFaults,
    });
    await sink.stop();
    note("upload at 30 puts a second: most of a minute");
    sink = await startSink(built.path, [...latency, "-rate", "30"]);
    const slow = await upload(sink, join(directory, "slow"));
    figures.push({ name: "upload at a limit of 30 puts/s", unit: "s", values: [slow.seconds] });
  } finally {
    await sink.stop();
    rmSync(directory, { recursive: true });
  }
  return { figures, skipped: null };
}

function writeImage(path: string): void {
  const file = openSync(path, "w");
  ftruncateSync(file, imageBytes);
  const places = imageBytes / stretchBytes;
  const wanted = dataBytes / stretchBytes;
  for (let stretch = 0; stretch < wanted; stretch++)
    writeSync(file, randomBytes(stretchBytes), 0, stretchBytes, Math.floor((stretch * places) / wanted) * stretchBytes);
  closeSync(file);
}

/** Writes one byte into each of so many blocks. */
function changeBlocks(path: string, count: number): void {
  const file = openSync(path, "r+");
  const blocks = blocksIn(imageBytes);
  for (let block = 0; block < count; block++)
    writeSync(file, randomBytes(8), 0, 8, Math.floor((block * blocks) / count) * blockBytes);
  closeSync(file);
}

async function measureScan(path: string): Promise<number[]> {
  const speeds: number[] = [];
  for (let run = 0; run < 4; run++) {
    const begun = performance.now();
    const table = createBlockTable(blocksIn(imageBytes));
    const scan = startScan({ path, fileBytes: imageBytes, table, parent: null, slots: 48 });
    for (let block = await scan.next(); block; block = await scan.next())
      if (block.slot !== null) scan.free(block.slot);
    const seconds = (performance.now() - begun) / 1000;
    await scan.stop();
    // The first one fills the page cache.
    if (run > 0) speeds.push(imageBytes / 1e9 / seconds);
  }
  return speeds;
}

function runUpload(options: {
  program: string;
  directory: string;
  image: string;
  home: string;
  sink: Sink;
  parameters: string[];
}): Promise<Run> {
  const { program, image, home, sink, parameters } = options;
  const begun = performance.now();
  const child = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      join(program, "agent", "main.ts"),
      ...["image", "upload", image, "--json", ...parameters],
    ],
    {
      env: {
        ...environment(sink),
        CLAWDINATOR_HOME: home,
        NODE_COMPILE_CACHE: join(options.directory, "compile-cache"),
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let peak = 0;
  const timer = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
      peak = Math.max(peak, Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0));
    } catch {
      // It has just ended.
    }
  }, 20);
  let said = "";
  let output = "";
  child.stdout.on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on("close", (code) => {
      clearInterval(timer);
      const seconds = (performance.now() - begun) / 1000;
      if (code !== 0) reject(new Error(`image upload ended with ${code}: ${output}${said}`));
      else resolve({ seconds, megabytes: (peak * 1024) / 1e6, result: JSON.parse(output) });
    });
  });
}

function runColdsnap(sink: Sink, image: string): number {
  const begun = performance.now();
  spawnSync("coldsnap", ["upload", "--omit-zero-blocks", "--no-progress", image], {
    env: environment(sink),
    stdio: "ignore",
    timeout: 60_000,
  });
  return (performance.now() - begun) / 1000;
}

function environment(sink: Sink): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    AWS_ENDPOINT_URL: sink.url,
    AWS_REGION: "eu-central-1",
    AWS_ACCESS_KEY_ID: "AKIABENCHBENCHBENCHB",
    AWS_SECRET_ACCESS_KEY: "bench",
    AWS_EC2_METADATA_DISABLED: "true",
  };
}
