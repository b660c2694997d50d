/** `clawdinator memory …`: the commands and their help. What they do is in `memory.ts`, loaded when one runs. */
import type { Command } from "commander";
import { type AddCommand, parseCount } from "./command-parts.ts";

export function memoryCommands(memory: Command, add: AddCommand): void {
  const load = () => import("./memory.ts");
  add(memory, "list", "documents", "clawdinator memory list", async (context, _parameters, options) =>
    (await load()).list(context, options),
  ).option("--deleted", "those that were deleted, in place of those that are there");
  add(
    memory,
    "read <document>",
    "one document",
    "clawdinator memory read ops.md",
    async (context, [document], options) => (await load()).read(context, document ?? "", options),
  ).option("--revision <revision>", "as it was then; `memory history` lists revisions");
  add(
    memory,
    "write <document> [text...]",
    "replace a document; without a text, by stdin",
    "clawdinator memory write notes.md < notes.md",
    async (context, [document, text], options) => (await load()).write(context, document ?? "", text, options),
  ).option("--vouch", "answer for the whole text: it is a maintainer's from now on, whatever it was made from");
  add(
    memory,
    "append <document> [text...]",
    "add to a document's end; without a text, by stdin",
    'clawdinator memory append notes.md "the canary is CLAWDINATOR-2"',
    async (context, [document, text]) => (await load()).append(context, document ?? "", text),
  );
  add(
    memory,
    "edit <document>",
    "replace one passage",
    "clawdinator memory edit ops.md --before old --after new",
    async (context, [document], options) => (await load()).edit(context, document ?? "", options),
  )
    .requiredOption("--before <text>", "the passage, which must occur once")
    .requiredOption("--after <text>", "what stands there instead");
  add(
    memory,
    "search <query...>",
    "find text in all documents",
    "clawdinator memory search canary",
    async (context, [query], options) => (await load()).search(context, query ?? "", options),
  ).option("--limit <number>", "matches at most; default: 10", parseCount);
  add(
    memory,
    "history <document>",
    "a document's revisions, newest first; of a deleted one too",
    "clawdinator memory history ops.md",
    async (context, [document]) => (await load()).history(context, document ?? ""),
  );
  add(
    memory,
    "diff <document>",
    "what a revision changed, or the difference between two; default: what the newest changed",
    "clawdinator memory diff ops.md --from REVISION --to REVISION",
    async (context, [document], options) => (await load()).diff(context, document ?? "", options),
  )
    .option("--from <revision>", "the older one; default: what --to was made from")
    .option("--to <revision>", "the newer one; default: the newest");
  add(
    memory,
    "restore <document> <revision>",
    "bring back the text of a revision",
    "clawdinator memory restore ops.md REVISION",
    async (context, [document, revision]) => (await load()).restore(context, document ?? "", revision ?? ""),
  );
  add(
    memory,
    "delete <document>",
    "end a document; its history stays, and restore brings it back",
    "clawdinator memory delete old-notes.md",
    async (context, [document]) => (await load()).remove(context, document ?? ""),
  );
  add(
    memory,
    "rename <document> <new-name>",
    "give a document another name",
    "clawdinator memory rename notes.md archive/notes.md",
    async (context, [document, name]) => (await load()).rename(context, document ?? "", name ?? ""),
  );
  add(
    memory,
    "check",
    "what is damaged, lost or cannot be taken in; exit code 1 when there is something",
    "clawdinator memory check",
    async (context) => (await load()).check(context),
  );
  add(
    memory,
    "snapshot <file>",
    "save all documents with their history into one .tar.gz",
    "clawdinator memory snapshot memory.tar.gz",
    async (context, [file]) => (await load()).snapshot(context, file ?? ""),
  );
  add(
    memory,
    "load <file>",
    "take in what a snapshot holds and is not there; nothing that is there is lost",
    "clawdinator memory load memory.tar.gz",
    async (context, [file]) => (await load()).load(context, file ?? ""),
  );
}
