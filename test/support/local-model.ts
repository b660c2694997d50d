/** A real model for tests, when this machine has one: an endpoint that runs already, or llama.cpp's server with a file. */
import { type ChildProcess, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { onTestFinished } from "vitest";
import { waitFor } from "./wait.ts";

export type LocalModel = { url: string } | { server: string; file: string };

export const howToHaveOne =
  "set CLAWDINATOR_TEST_MODEL_URL to an OpenAI-compatible endpoint, or have llama-server in PATH and a model's path in CLAWDINATOR_TEST_MODEL_FILE";

export function findLocalModel(environment: NodeJS.ProcessEnv): LocalModel | null {
  const { CLAWDINATOR_TEST_MODEL_URL: url, CLAWDINATOR_TEST_MODEL_FILE: file } = environment;
  if (url) return { url };
  const server = (environment.PATH ?? "")
    .split(delimiter)
    .map((directory) => join(directory, "llama-server"))
    .find(canRun);
  return file && server ? { server, file } : null;
}

function canRun(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Address of the endpoint, once it answers. The server is stopped when the test ends. */
export async function startLocalModel(model: LocalModel): Promise<string> {
  if ("url" in model) return model.url;
  const port = await freePort();
  const words = ["--model", model.file, "--host", "127.0.0.1", "--port", String(port), "--jinja", "--ctx-size", "8192"];
  const child: ChildProcess = spawn(model.server, words, { stdio: "ignore" });
  onTestFinished(async () => {
    if (child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  });
  const origin = `http://127.0.0.1:${port}`;
  const isReady = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`${model.server} ended with ${child.exitCode}`);
    return (await fetch(`${origin}/health`).catch(() => null))?.ok ?? false;
  };
  await waitFor(isReady, { timeoutMs: 300_000, what: `${model.server} with ${model.file}` });
  return `${origin}/v1`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
