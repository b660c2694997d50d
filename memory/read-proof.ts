/**
 * Prints the text of one document as JSON: `node memory/read-proof.ts DIRECTORY DOCUMENT`. Run as a process of its own,
 * it shows that what one process wrote, another one reads.
 */
import { openMemory } from "./hive.ts";

if (import.meta.main) {
  const [directory = "", document = ""] = process.argv.slice(2);
  const memory = openMemory({ directory, writer: "proof" });
  const found = await memory.read(document);
  process.stdout.write(`${JSON.stringify({ text: found?.text ?? null })}\n`);
  await memory.close();
}
