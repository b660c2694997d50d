/** The hive mind from the command line: straight on its directory, so that it works while no gateway runs. */
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { type Memory, type MemoryDocument, MemoryError, openMemory, type Provenance } from "../../memory/index.ts";
import { ToolError } from "../../tools/errors.ts";
import { fleetPaths } from "../paths.ts";
import type { CommandContext } from "./context.ts";
import { table, timeOf, UsageError } from "./output.ts";
import { readConfig } from "./read-config.ts";

async function withMemory<T>(
  context: CommandContext,
  work: (memory: Memory, provenance: Provenance) => Promise<T>,
): Promise<T> {
  const author = userInfo().username;
  const memory = openMemory({
    directory: fleetPaths(context.home, readConfig(context.home)).memory,
    writer: `cli-${author}-${process.pid}`.replace(/[^A-Za-z0-9]/g, "-"),
    index: join(context.home, "cache", "memory-index"),
  });
  try {
    return await work(memory, { author, source: `command line on ${hostname()}`, trust: "maintainer" });
  } catch (error) {
    if (error instanceof MemoryError)
      throw new ToolError(error.message, { code: error.code, hint: error.hint, cause: error });
    throw error;
  } finally {
    await memory.close();
  }
}

export async function list(context: CommandContext): Promise<void> {
  const documents = await withMemory(context, (memory) => memory.list());
  context.output.result({ documents }, () =>
    documents.length === 0
      ? "memory is empty"
      : table(
          ["DOCUMENT", "BYTES", "CHANGED (UTC)"],
          documents.map((one) => [one.document, String(one.bytes), timeOf(one.at)]),
        ),
  );
}

export async function read(context: CommandContext, document: string): Promise<void> {
  const found = await withMemory(context, (memory) => memory.read(document));
  if (!found)
    throw new ToolError(`memory has no document ${document}`, {
      code: "unknown_document",
      hint: "`clawdinator memory list` shows them",
    });
  context.output.result(found, () => found.text);
}

export async function write(
  context: CommandContext,
  how: "write" | "append",
  document: string,
  text: string | undefined,
): Promise<void> {
  const content = text || (await readInput());
  const written = await withMemory(context, (memory, provenance) => memory[how](document, content, provenance));
  report(context, written);
}

export async function edit(context: CommandContext, document: string, options: Record<string, unknown>): Promise<void> {
  const change = { before: String(options.before), after: String(options.after) };
  report(context, await withMemory(context, (memory, provenance) => memory.edit(document, change, provenance)));
}

export async function search(context: CommandContext, query: string): Promise<void> {
  const matches = await withMemory(context, (memory) => memory.search(query));
  context.output.result({ matches }, () =>
    matches.length === 0
      ? "nothing found"
      : matches.map((match) => `${match.document}:${match.line}  ${match.snippet.replaceAll("\n", " ")}`).join("\n"),
  );
}

export async function history(context: CommandContext, document: string): Promise<void> {
  const revisions = await withMemory(context, (memory) => memory.history(document));
  context.output.result({ document, revisions }, () =>
    revisions.length === 0
      ? `memory has no document ${document}`
      : table(
          ["REVISION", "KIND", "WRITTEN (UTC)", "AUTHOR", "TRUST"],
          revisions.map((one) => [one.revision, one.kind, timeOf(one.at), one.author, one.trust]),
        ),
  );
}

export async function restore(context: CommandContext, document: string, revision: string): Promise<void> {
  report(context, await withMemory(context, (memory, provenance) => memory.restore(document, revision, provenance)));
}

function report(context: CommandContext, written: MemoryDocument): void {
  context.output.result(written, () => `${written.document} is at ${written.revision}`);
}

async function readInput(): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError("there is no text", "give it after the document, or by stdin");
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}
