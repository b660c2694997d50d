/**
 * One reader of a storm, as a process of its own: reads every document in a loop, through the library and as a plain
 * file, until it is told to end (SIGTERM); then prints how often it read. Ends with 1 and the reason on the first read
 * that is empty, torn, or has lost what it had shown before.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openMemory } from "../../../memory/index.ts";
import { endWithParent } from "./orphan.ts";
import { allDocuments, documents, readLines, type SignedLine, type StormDocument } from "./plan.ts";

export interface ReaderOptions {
  directory: string;
  reader: string;
}

const trailerPattern = /\n<!-- hive revisions=\S+ sha256=([0-9a-f]{64}) -->\n$/;

/** The text of a view as it lies on disk. Throws when the file is not whole. */
export function readViewFile(directory: string, document: string): string {
  const file = readFileSync(join(directory, document), "utf8");
  const match = trailerPattern.exec(file);
  const body = file.slice(0, (match?.index ?? -1) + 1);
  if (createHash("sha256").update(body).digest("hex") !== match?.[1]) {
    throw new Error(`the view of ${document} is torn: ${JSON.stringify(file.slice(-400))}`);
  }
  return body;
}

/** Keeps what was shown, and throws when a later text lacks what nobody may have replaced. */
function createWitness(): (document: StormDocument, text: string) => void {
  const appended = new Map<string, Set<string>>();
  const values = new Map<string, number[]>();
  return (document, text) => {
    if (text === "") throw new Error(`${document} is empty`);
    const lines = readLines(text);
    const shown = new Set(lines.filter(({ prefix }) => prefix === "- ").map(({ token }) => token));
    for (const token of appended.get(document) ?? []) {
      if (!shown.has(token)) throw new Error(`${document} has lost ${token}, which it had shown`);
    }
    appended.set(document, shown);
    if (document === documents.log && shown.size !== lines.length) throw new Error(`${document} shows a line twice`);
    if (document !== documents.owned) return;
    for (const { token } of lines.filter(({ prefix }) => prefix === "value: ")) {
      const [writer = "", ...order] = token.split(".");
      const next = order.map(Number);
      const before = values.get(writer) ?? [0, 0];
      if (compare(next, before) < 0) throw new Error(`${writer} went back from ${before.join(".")} to ${token}`);
      values.set(writer, next);
    }
  };
}

function compare(a: number[], b: number[]): number {
  return (a[0] ?? 0) - (b[0] ?? 0) || (a[1] ?? 0) - (b[1] ?? 0);
}

export function valuesOf(lines: SignedLine[], writer: string): SignedLine[] {
  return lines.filter(({ prefix, token }) => prefix === "value: " && token.startsWith(`${writer}.`));
}

async function run({ directory, reader }: ReaderOptions): Promise<void> {
  const memory = openMemory({ directory, writer: reader });
  const witness = createWitness();
  let isEnding = false;
  let reads = 0;
  process.on("SIGTERM", () => {
    isEnding = true;
  });
  while (!isEnding) {
    // Reading a local disk may never wait for anything, and then no signal would be heard.
    await new Promise((resolve) => setImmediate(resolve));
    for (const document of allDocuments) {
      witness(document, (await memory.read(document))?.text ?? "");
      // A view may be older than what the library has read, so only its wholeness can be judged.
      readLines(readViewFile(directory, document));
      reads += 2;
    }
  }
  await memory.close();
  process.stdout.write(`${JSON.stringify({ reads })}\n`);
}

if (import.meta.main) {
  endWithParent();
  await run(JSON.parse(process.argv[2] ?? "") as ReaderOptions);
}
