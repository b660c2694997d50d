/**
 * What seeding a workspace would do, file by file. The record of what was seeded tells an untouched file, which follows
 * the program, from an edited one, which is kept, and from a deleted one, which stays deleted.
 */
import { sha256 } from "../tools/json.ts";
import { lookAt } from "../tools/workspace/files.ts";
import type { RecordEntry, SeedRecord } from "../tools/workspace/record.ts";
import type { Template } from "../tools/workspace/template.ts";

export interface FilePlan {
  path: string;
  /**
   * `current`: as the program has it; `new`, `outdated`: gets the program's text; `retired`: untouched, but the program
   * has no such file any more; `edited`, `deleted`: left alone; `blocked`: cannot be read or written.
   */
  state: "current" | "new" | "outdated" | "retired" | "edited" | "deleted" | "blocked";
  /** Edited, and the program's template is newer than the one that the edit began with. */
  hasNewerTemplate: boolean;
  /** The text that was there; null where there was none. */
  seen: string | null;
  /** The text that the file gets; null where nothing is written. */
  write: string | null;
  /** Why it is blocked. */
  reason: string | null;
  /** What the record says once this is done; null: nothing. */
  entry: RecordEntry | null;
}

/** Each replacement of an instance changes the id in a file; a few of the last ones are enough to know ours again. */
const rememberedHashes = 16;

const generatedPart = /^<!-- generated:[a-z-]+ -->$[\s\S]*?^<!-- \/generated -->$/gm;

/** Throws nothing: a file that cannot be looked at is `blocked`. */
export async function planWorkspace(directory: string, templates: Template[], record: SeedRecord): Promise<FilePlan[]> {
  const known = new Set(templates.map(({ path }) => path));
  const left = Object.keys(record.files).filter((path) => !known.has(path));
  return await Promise.all([
    ...templates.map((template) => planFile(directory, template, record.files[template.path])),
    ...left.sort().map((path) => planLeftOver(directory, path, record.files[path])),
  ]);
}

async function planFile(directory: string, template: Template, entry: RecordEntry | undefined): Promise<FilePlan> {
  const { path, text, source } = template;
  const templateHash = sha256(source);
  const base: FilePlan = {
    path,
    state: "current",
    hasNewerTemplate: false,
    seen: null,
    write: null,
    reason: null,
    entry: entry ?? null,
  };
  const seeded: RecordEntry = {
    hashes: withHash(entry?.hashes, sha256(text)),
    template: templateHash,
    placed: true,
    parts: (text.match(generatedPart) ?? []).reduce((parts, part) => withHash(parts, sha256(part)), entry?.parts ?? []),
  };
  const look = await lookAt(directory, path);
  if (look.state === "blocked") return { ...base, state: "blocked", reason: look.reason };
  if (look.state === "missing") {
    if (entry?.placed) return { ...base, state: "deleted" };
    return { ...base, state: "new", write: text, entry: seeded };
  }
  if (look.text === text) return { ...base, seen: text, entry: seeded };
  if (entry?.hashes.includes(sha256(look.text)))
    return { ...base, state: "outdated", seen: look.text, write: text, entry: seeded };
  return planEdited(
    { ...base, state: "edited", seen: look.text },
    { text: look.text, template: text, templateHash, seeded },
  );
}

function planEdited(
  plan: FilePlan,
  found: { text: string; template: string; templateHash: string; seeded: RecordEntry },
): FilePlan {
  const { text, template, templateHash, seeded } = found;
  const fileHash = sha256(text);
  // One that was there before any seeding follows no template of ours.
  const before: RecordEntry = plan.entry ?? { hashes: [], template: templateHash, placed: true, parts: [] };
  const noted = before.noted?.template === templateHash ? before.noted : null;
  // Edited again since a newer template was noted: whoever did that has seen the note.
  const isSeen = noted !== null && noted.file !== fileHash;
  const hasNewerTemplate = before.template !== templateHash && !isSeen;
  const next = withNewParts(text, before.parts, template);
  const { noted: _, ...rest } = before;
  const entry: RecordEntry = {
    ...rest,
    template: isSeen ? templateHash : before.template,
    placed: true,
    parts: next === text ? before.parts : seeded.parts,
    ...(hasNewerTemplate ? { noted: { template: templateHash, file: noted?.file ?? sha256(next) } } : {}),
  };
  return { ...plan, hasNewerTemplate, write: next === text ? null : next, entry };
}

/** The text with its generated parts as the template has them now; a part that somebody edited stays. */
function withNewParts(text: string, ours: string[], template: string): string {
  const fresh = new Map((template.match(generatedPart) ?? []).map((part) => [openingOf(part), part]));
  return text.replace(generatedPart, (part) =>
    ours.includes(sha256(part)) ? (fresh.get(openingOf(part)) ?? part) : part,
  );
}

function openingOf(part: string): string {
  return part.split("\n", 1)[0] ?? "";
}

async function planLeftOver(directory: string, path: string, entry: RecordEntry | undefined): Promise<FilePlan> {
  const base = { path, hasNewerTemplate: false, seen: null, write: null, reason: null };
  const look = await lookAt(directory, path);
  if (look.state === "blocked") return { ...base, state: "blocked", reason: look.reason, entry: entry ?? null };
  if (look.state === "missing") return { ...base, state: "deleted", entry: null };
  const isOurs = entry?.hashes.includes(sha256(look.text)) ?? false;
  return { ...base, state: isOurs ? "retired" : "edited", entry: isOurs ? null : (entry ?? null) };
}

function withHash(hashes: string[] | undefined, next: string): string[] {
  return [...(hashes ?? []).filter((one) => one !== next), next].slice(-rememberedHashes);
}
