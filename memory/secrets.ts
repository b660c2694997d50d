/**
 * Credentials must never be remembered. Finding one names its kind and line, never its value; see `docs/memory.md`.
 *
 * A line that looks like a credential and is none (an example in a manual) may carry a marker:
 * `<!-- allow-secret: REASON -->`. It counts only in a text that a maintainer writes; once it stands in a document,
 * others may keep the line as it is.
 */
import { findShape, hideShapes } from "./secret-shapes.ts";
import { hasRandomToken, publicBlockLines } from "./secret-tokens.ts";
import { findNamedValue } from "./secret-values.ts";
import type { MemoryTrust } from "./types.ts";

export { hideShapes };

/** Such as `a GitHub token`. `line` counts from 1. */
export interface FoundSecret {
  kind: string;
  line: number;
}

export interface SecretScan {
  /** The writer's: a marker counts for a maintainer only. Default: no marker counts. */
  trust?: MemoryTrust;
  /** What the document holds already: lines with a marker that stand there may stay. */
  before?: string;
}

const marker = /<!-- allow-secret: *[^\s>][^>]{0,200}-->/;

/** The first secret in a text, or null. Its value appears nowhere. */
export function findSecret(text: string, scan: SecretScan = {}): FoundSecret | null {
  const lines = text.split("\n");
  const publicLines = publicBlockLines(lines);
  let kept: Set<string> | null = null;
  const isAllowed = (line: string): boolean => {
    if (!marker.test(line)) return false;
    if (scan.trust === "maintainer") return true;
    kept ??= new Set((scan.before ?? "").split("\n"));
    return kept.has(line);
  };
  for (const [index, line] of lines.entries()) {
    const kind = kindIn(line, publicLines.has(index));
    if (kind !== null && !isAllowed(line)) return { kind, line: index + 1 };
  }
  return null;
}

function kindIn(line: string, isPublicBlock: boolean): string | null {
  if (line.length < 12) return null;
  const shape = findShape(line);
  if (shape !== null) return shape.kind;
  const named = findNamedValue(line);
  if (named !== null) return named;
  return !isPublicBlock && hasRandomToken(line) ? "a token that looks random" : null;
}
