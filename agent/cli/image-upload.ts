/** `clawdinator image upload`: a disk image as an EBS snapshot, from any machine with AWS credentials; no gateway. */
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { ProviderError } from "../../tools/errors.ts";
import { createAwsClients } from "../../tools/fleet/aws/clients.ts";
import { identifyImage } from "../../tools/fleet/aws/ebs/image-file.ts";
import { compileUploader, type UploadProgress, uploadSnapshot } from "../../tools/fleet/aws/ebs/upload.ts";
import { isCredentialFailure } from "../../tools/fleet/aws/errors.ts";
import { ownedTag } from "../../tools/fleet/aws/tags.ts";
import { digestOf } from "../../tools/json.ts";
import { restartCompiled } from "./compiled.ts";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./output.ts";

/** Without a terminal, one line in this time is enough for a log. */
const lineIntervalMs = 5_000;
/** As in the fleet's settings. */
const defaultRegion = "eu-central-1";
const mebibyte = 1024 * 1024;

/** Uploads the file and prints the snapshot; run again after an interruption, it goes on where it stopped. */
export async function upload(context: CommandContext, path: string, options: Record<string, unknown>): Promise<void> {
  // What a request leaves behind dies at once: a larger nursery would only be memory (30 MB of it).
  setFlagsFromString("--semi-space-growth-factor=1");
  const region = regionOf(options.region);
  const parent = typeof options.parent === "string" ? options.parent : null;
  if (parent !== null && !/^snap-[0-9a-f]+$/.test(parent))
    throw new UsageError(`"${parent}" is not a snapshot`, "a snapshot is written like snap-0123456789abcdef0");
  const file = identifyImage(path);
  await restartCompiled(compileUploader);
  const endpoint = process.env.AWS_ENDPOINT_URL_EBS ?? process.env.AWS_ENDPOINT_URL ?? null;
  const stop = new AbortController();
  const interrupt = (): void => stop.abort(new Error("interrupted"));
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const progress = createProgressLine();
  const clients = createAwsClients({ region });
  try {
    const result = await uploadSnapshot({
      file: path,
      parent,
      clients,
      token: digestOf({ file: { ...file }, parent, region, endpoint }),
      description: `CLAWDINATOR image ${file.bytes} bytes`,
      tags: { [ownedTag]: "true" },
      journalDirectory: join(context.home, "uploads"),
      onProgress: (now) => progress.show(now),
      signal: stop.signal,
      // The token names this file of this machine, so that no other machine can have begun the same upload.
      lookUp: false,
    });
    progress.end();
    context.output.result({ ...result, region }, () => {
      const read = result.verifiedBlocks > 0 ? `${result.verifiedBlocks} blocks read back` : "nothing read back";
      return `${result.snapshot}: ${result.blocks} of ${result.blocksTotal} blocks sent in ${result.seconds.toFixed(1)} s, ${read}`;
    });
  } catch (error) {
    progress.end();
    throw stop.signal.aborted ? interrupted(path) : resumable(error);
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    clients.close();
  }
}

function regionOf(option: unknown): string {
  const given = typeof option === "string" ? option : process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION;
  const region = given ?? defaultRegion;
  if (!/^[a-z]{2}(-[a-z]+)+-[0-9]$/.test(region))
    throw new UsageError(`"${region}" is not an AWS region`, "a region is written like eu-central-1");
  return region;
}

function interrupted(path: string): ProviderError {
  return new ProviderError(`the upload of ${path} was interrupted`, {
    code: "interrupted",
    hint: "run the same command again: it goes on where it stopped",
  });
}

/** The hint of the fleet's own operations does not fit a command that was typed. */
function resumable(error: unknown): unknown {
  if (!(error instanceof ProviderError) || !isCredentialFailure(error.cause)) return error;
  return new ProviderError(error.message, {
    code: error.code,
    hint: "get new credentials (such as `aws sso login`), then run the same command again: it goes on where it stopped",
    cause: error.cause,
  });
}

/** A line that is rewritten at a terminal, and one line now and then elsewhere; both on stderr. */
function createProgressLine(): { show(progress: UploadProgress): void; end(): void } {
  const isTerminal = process.stderr.isTTY === true;
  let lastLine = performance.now();
  let isShown = false;
  return {
    show(progress) {
      const now = performance.now();
      if (!isTerminal && now - lastLine < lineIntervalMs) return;
      lastLine = now;
      isShown = true;
      process.stderr.write(isTerminal ? `\r\u001b[K${describe(progress)}` : `${describe(progress)}\n`);
    },
    end() {
      if (isTerminal && isShown) process.stderr.write("\r\u001b[K");
    },
  };
}

function describe({ blocksDone, blocksTotal, bytesSent, mibPerSecond, secondsLeft }: UploadProgress): string {
  const percent = Math.floor((100 * blocksDone) / Math.max(1, blocksTotal));
  const left = secondsLeft === null ? "" : `, ${duration(secondsLeft)} left`;
  return `${percent} %  ${Math.round(bytesSent / mebibyte)} MiB sent, ${mibPerSecond.toFixed(0)} MiB/s${left}`;
}

function duration(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}
