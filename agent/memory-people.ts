/** What people do with the hive mind, by the command line and by the console: the same rules behind both. */
import type { LineDifference } from "../memory/difference.ts";
import type {
  Memory,
  MemoryDocument,
  MemoryRevision,
  MemoryTrust,
  MemoryWritten,
  Provenance,
} from "../memory/index.ts";
import { ToolError } from "../tools/errors.ts";
import { absenceOf, dayOf } from "../tools/memory-absence.ts";
import { lowestTrustOf } from "../tools/memory-provenance.ts";

/** The document, or a ToolError that says whether it was deleted or renamed, and what to do. */
export async function readForPeople(memory: Memory, document: string): Promise<MemoryDocument> {
  const found = await memory.read(document);
  if (found) return found;
  const absence = await absenceOf(memory, document);
  if (absence.kind === "renamed") {
    throw new ToolError(`${document} was renamed to ${absence.to}`, {
      code: "document_renamed",
      hint: `read ${absence.to}; \`clawdinator memory history ${document}\` shows what it was`,
    });
  }
  if (absence.kind === "deleted") {
    throw new ToolError(`${document} was deleted${dayOf(absence.at)}`, {
      code: "document_deleted",
      hint: `\`clawdinator memory history ${document}\` lists its revisions, and \`memory restore\` brings one back`,
    });
  }
  throw new ToolError(`memory has no document ${document}`, {
    code: "unknown_document",
    hint: "`clawdinator memory list` shows them",
  });
}

export interface PersonsWrite {
  text: string;
  /** `shown` of the document that the person had before them; `[]`: a new document. Absent: what is there now. */
  base?: string[] | undefined;
  /** The person answers for the whole text, whatever it came from. */
  vouch: boolean;
}

/**
 * Writes a whole text for a person. A text that was made from one of lower trust keeps that trust, unless the person
 * vouches for it: what strangers wrote is not a maintainer's word because a maintainer mended a comma in it.
 */
export async function writeForPeople(
  memory: Memory,
  document: string,
  { write, provenance }: { write: PersonsWrite; provenance: Provenance },
): Promise<MemoryWritten> {
  const found = await memory.read(document);
  if (write.base?.length === 0 && found) {
    throw new ToolError(`${document} exists already`, {
      code: "document_exists",
      hint: "open it and change it there, or choose another name",
    });
  }
  const base = write.base && write.base.length > 0 ? write.base : found?.shown;
  const trust =
    write.vouch || !base ? provenance.trust : await trustOfBase({ memory, document, base, provenance, found });
  return memory.write(document, write.text, { ...provenance, trust }, base ? { base } : {});
}

/** The lowest trust of what a person had before them when they wrote, and of what is there now. */
async function trustOfBase(options: {
  memory: Memory;
  document: string;
  base: string[];
  provenance: Provenance;
  found: MemoryDocument | null;
}): Promise<MemoryTrust> {
  const { memory, document, base, provenance, found } = options;
  const isNow = found !== null && base.length === found.shown.length && base.every((one) => found.shown.includes(one));
  const shown = isNow ? [] : shownBy(await memory.history(document), { document, base });
  return lowestTrustOf([provenance, ...shown, ...(found ? [found] : [])]);
}

/** The revisions whose text a reader of `base` had before them: full texts hide what they replaced. */
function shownBy(
  history: MemoryRevision[],
  { document, base }: { document: string; base: string[] },
): MemoryRevision[] {
  const byId = new Map(history.map((revision) => [revision.revision, revision]));
  const shown = new Map<string, MemoryRevision>();
  const open = [...base];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const revision = byId.get(id);
    if (shown.has(id)) continue;
    if (revision === undefined) {
      if (base.includes(id)) throw unknownRevision(document, id);
      continue;
    }
    shown.set(id, revision);
    if (revision.kind === "append") open.push(...revision.parents);
  }
  return [...shown.values()];
}

export function unknownRevision(document: string, revision: string): ToolError {
  return new ToolError(`${document} has no revision ${JSON.stringify(revision)}`, {
    code: "revision_unknown",
    hint: `\`clawdinator memory history ${document}\` lists its revisions`,
  });
}

export interface DocumentDifference extends LineDifference {
  document: string;
  /** Empty: from nothing. */
  from: string[];
  to: string;
}

/** From one revision to another; without `from`, what `to` changed; without `to`, to the newest. */
export async function documentDifference(
  memory: Memory,
  document: string,
  { from, to }: { from?: string | undefined; to?: string | undefined },
): Promise<DocumentDifference> {
  const history = await memory.history(document);
  const newest = history[0];
  if (newest === undefined) {
    await readForPeople(memory, document);
    throw unknownRevision(document, to ?? "");
  }
  const find = (id: string): MemoryRevision => {
    const revision = history.find((one) => one.revision === id);
    if (!revision) throw unknownRevision(document, id);
    return revision;
  };
  const last = to === undefined ? newest : find(to);
  const first = from === undefined ? last.parents : [find(from).revision];
  const known = first.filter((id) => history.some(({ revision }) => revision === id));
  const [before, after] = await Promise.all([
    known.length === 0 ? "" : textAt(memory, document, known),
    last.kind === "delete" ? "" : textAt(memory, document, last.revision),
  ]);
  const { differenceOf } = await import("../memory/difference.ts");
  return { document, from: known, to: last.revision, ...differenceOf(before, after) };
}

async function textAt(memory: Memory, document: string, revision: string | string[]): Promise<string> {
  return (await memory.textAt(document, revision)) ?? "";
}
