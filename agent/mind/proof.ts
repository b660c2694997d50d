/** Shows that model and memory work, for a candidate that wants a name and for health checks. */
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { openMemory } from "../../memory/index.ts";
import { describeError } from "../../tools/errors.ts";
import type { Check } from "../../tools/fleet/model.ts";
import type { Model } from "./models/model.ts";

const modelTimeoutMs = 60_000;
const readerTimeoutMs = 20_000;
const document = "proof.md";
const readerScript = new URL("../../memory/read-proof.ts", import.meta.url).pathname;

export interface ProofOptions {
  model: Model;
  memoryDirectory: string;
  instance: string;
}

export async function proveMind(options: ProofOptions): Promise<Check[]> {
  return Promise.all([check("model", () => proveModel(options.model)), check("memory", () => proveMemory(options))]);
}

async function check(name: string, prove: () => Promise<string>): Promise<Check> {
  const startedAt = performance.now();
  try {
    const detail = await prove();
    return { name, ok: true, detail: `${detail} in ${Math.round(performance.now() - startedAt)} ms` };
  } catch (error) {
    const { message, hint } = describeError(error);
    return { name, ok: false, detail: `${message}; ${hint}` };
  }
}

async function proveModel(model: Model): Promise<string> {
  const request = {
    // Of its own each time: what was found out for one message is remembered.
    message: `proof-${randomUUID()}`,
    conversation: "proof",
    run: null,
    purpose: "proof" as const,
    system: "You answer a health check.",
    messages: [{ role: "user" as const, text: model.readsPrompt ? "Answer with the one word: ok" : "version" }],
    tools: () => [],
    signal: AbortSignal.timeout(modelTimeoutMs),
  };
  let answeredBy = model.name;
  for await (const event of model.stream(request)) {
    if (event.type !== "stop") continue;
    if (event.reason === "error") throw Object.assign(new Error(`${event.error.message}; ${event.error.hint}`));
    if (event.reason === "interrupted")
      throw new Error(`${model.name} did not answer within ${modelTimeoutMs / 1000} s`);
    answeredBy = event.model ?? model.name;
  }
  return `${answeredBy} answered`;
}

/** In a memory of its own beside the real one: the same disk and the same code, and nothing left to read afterwards. */
async function proveMemory({ memoryDirectory, instance }: ProofOptions): Promise<string> {
  const directory = join(memoryDirectory, ".proof", instance);
  const text = `# Proof of ${instance}\n\n${randomUUID()}\n`;
  const memory = openMemory({ directory, writer: instance });
  try {
    await memory.write(document, text, { author: instance, source: "proof", trust: "self" });
    const found = await readElsewhere(directory, document);
    if (found !== text) throw new Error(`${directory} was written, but another process read something else`);
    return "a document was written and read by another process";
  } finally {
    await memory.close();
    await rm(directory, { recursive: true, force: true });
  }
}

function readElsewhere(directory: string, document: string): Promise<string | null> {
  const { PATH, NODE_COMPILE_CACHE, NODE_COMPILE_CACHE_PORTABLE } = process.env;
  const options = {
    env: { PATH, NODE_COMPILE_CACHE, NODE_COMPILE_CACHE_PORTABLE },
    timeout: readerTimeoutMs,
    maxBuffer: 4 * 1024 * 1024,
  };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [readerScript, directory, document], options, (error, stdout, stderr) => {
      if (error) reject(new Error(`the reading process failed: ${stderr.trim().slice(-500) || error.message}`));
      else resolve((JSON.parse(stdout) as { text: string | null }).text);
    });
  });
}
