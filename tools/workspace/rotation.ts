/** Which variant was used last where, so that the same one does not come twice in a row. May be lost without harm. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readFileIfThere, writeFileDurably } from "../fleet/local/files.ts";
import { sha256 } from "../json.ts";

const stateFile = "canned-responses.json";
/** Conversations and repositories that are remembered. */
const mostPlaces = 1_000;

const stateSchema = z.object({
  formatVersion: z.literal(1),
  /** By place and response; the one used last stands last. */
  last: z.array(z.object({ key: z.string(), variant: z.number().int().min(0), call: z.string().nullable() })),
});
type State = z.output<typeof stateSchema>;

export interface Rotation {
  /** The instance's own directory; undefined: nothing is remembered between calls. */
  directory: string | undefined;
  response: string;
  /** Where it will be read: the conversation, the repository. */
  places: string[];
  variants: number;
  /** The same call gets the same variant again. */
  call: string | null;
}

const queues = new Map<string, Promise<unknown>>();

/** The next variant's number, other than the last one in each of the places while there are enough. */
export function nextVariant(rotation: Rotation): Promise<number> {
  const { directory } = rotation;
  if (directory === undefined) return Promise.resolve(0);
  // One after the other: two calls at once must not get the same.
  const turn = (queues.get(directory) ?? Promise.resolve()).then(() => take(directory, rotation));
  const settled = turn
    .catch(() => undefined)
    .finally(() => {
      if (queues.get(directory) === settled) queues.delete(directory);
    });
  queues.set(directory, settled);
  return turn;
}

async function take(directory: string, { response, places, variants, call }: Rotation): Promise<number> {
  const path = join(directory, stateFile);
  const state = await readState(path);
  const keys = places.map((place) => `${place}\n${response}`);
  const used = keys.flatMap((key) => state.last.find((one) => one.key === key) ?? []);
  const again = used.find((one) => call !== null && one.call === call);
  if (again && again.variant < variants) return again.variant;
  const taken = new Set(used.map(({ variant }) => variant));
  const first = used[0];
  // Where nothing is known, each place begins elsewhere.
  let variant = first
    ? (first.variant + 1) % variants
    : Number.parseInt(sha256(keys.join("\n")).slice(0, 8), 16) % variants;
  for (let tries = 0; tries < variants && taken.has(variant); tries++) variant = (variant + 1) % variants;
  const rest = state.last.filter(({ key }) => !keys.includes(key));
  const last = [...rest, ...keys.map((key) => ({ key, variant, call }))].slice(-mostPlaces);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFileDurably(path, `${JSON.stringify({ formatVersion: 1, last })}\n`);
  return variant;
}

/** A state that cannot be read begins anew: it only spares people a repetition. */
async function readState(path: string): Promise<State> {
  try {
    const text = await readFileIfThere(path);
    if (text !== null) return stateSchema.parse(JSON.parse(text));
  } catch {
    // Begun anew below.
  }
  return { formatVersion: 1, last: [] };
}
