/** A neutral EBS-direct server for measurements, built with Go where both are there. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const source = join(import.meta.dirname, "..", "..", "..", "shared", "aws", "ebs-sink");

/** Path of the built server, or why there is none. */
export function buildSink(directory: string): { path: string } | { missing: string } {
  if (!existsSync(source)) return { missing: "the EBS-direct server for measurements is not here" };
  if (spawnSync("go", ["version"]).status !== 0)
    return { missing: "Go, which builds the EBS-direct server, is not installed" };
  const path = join(directory, "ebs-sink");
  const built = spawnSync("go", ["build", "-o", path, "."], { cwd: source, encoding: "utf8" });
  return built.status === 0 ? { path } : { missing: `the EBS-direct server cannot be built: ${built.stderr}` };
}

export interface Sink {
  url: string;
  stats(): Promise<Record<string, number>>;
  digest(snapshot: string): Promise<{ status: string; sha256: string }>;
  /** The same faults again; with `all`, snapshots go too. */
  reset(options?: { all: boolean }): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it on a free port of this machine. */
export async function startSink(path: string, flags: string[]): Promise<Sink> {
  const child = spawn(path, ["-addr", "127.0.0.1:0", ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const url = await new Promise<string>((resolve, reject) => {
    let text = "";
    child.once("exit", () => reject(new Error(`the EBS-direct server ended: ${text}`)));
    child.stderr.on("data", (chunk) => {
      text += chunk;
      const address = /listening (\S+)\n/.exec(text)?.[1];
      if (address) resolve(`http://${address}`);
    });
  });
  const get = async <T>(part: string, method = "GET"): Promise<T> =>
    (await (await fetch(`${url}/_sink/${part}`, { method })).json()) as T;
  return {
    url,
    stats: () => get("stats"),
    digest: (snapshot) => get(`digest?snapshot=${snapshot}`),
    async reset(options) {
      await get(`reset${options?.all ? "?all=1" : ""}`, "POST");
    },
    async stop() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
