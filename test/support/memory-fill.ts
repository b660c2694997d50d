/** A memory of many documents in little time: revision files as the format has them, put there without fsync. */
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes one full revision for each note, by the writer `filler` with the trust `self`. */
export function fillMemory(directory: string, notes: Iterable<{ document: string; text: string }>): void {
  for (const { document, text } of notes) {
    const header = {
      document,
      kind: "full",
      lamport: 1,
      writer: "filler",
      parents: [],
      author: "Filler",
      source: "test",
      trust: "self",
      at: 1_769_817_600_000,
      nonce: "",
    };
    const lines = Object.entries(header).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
    const file = `---\nformat: 1\n${lines.join("\n")}\n---\n${text}`;
    const hash = createHash("sha256").update(file).digest("hex").slice(0, 24);
    const folder = join(directory, ".hive", document);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `0000000001-filler-${hash}.md`), file);
  }
}
