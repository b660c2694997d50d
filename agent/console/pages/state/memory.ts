/** The hive mind as the gateway serves it. Everything here throws ApiError. */
import type {
  MemoryChange,
  MemoryDifference,
  MemoryDocumentView,
  MemoryHistory,
  MemoryListed,
  MemoryListing,
  MemoryMatches,
  MemoryMatchView,
} from "../../../memory-api.ts";
import { deleteJson, getJson, postJson, putJson } from "../lib/api.ts";

/** `deleted`: those that are deleted, instead of those that are there. */
export async function readListing(deleted = false): Promise<MemoryListed[]> {
  return (await getJson<MemoryListing>(`/api/memory${deleted ? "?deleted=true" : ""}`)).documents;
}

export function readDocument(document: string): Promise<MemoryDocumentView> {
  return getJson(address("memory", document));
}

export async function searchMemory(text: string, limit: number): Promise<MemoryMatchView[]> {
  return (await getJson<MemoryMatches>(`/api/memory-search?${new URLSearchParams({ q: text, limit: String(limit) })}`))
    .matches;
}

/** `base`: what the writer had seen of it; empty for a new document. */
export function writeDocument(
  document: string,
  change: { text: string; base: string[]; vouch: boolean },
): Promise<MemoryChange> {
  return putJson(address("memory", document), change);
}

export function renameDocument(document: string, to: string): Promise<MemoryChange> {
  return postJson(address("memory-rename", document), { to });
}

export function deleteDocument(document: string): Promise<MemoryChange> {
  return deleteJson(address("memory", document));
}

export function readHistory(document: string, limit: number): Promise<MemoryHistory> {
  return getJson(`${address("memory-history", document)}?limit=${limit}`);
}

/** What a revision changed, seen from what it was derived from. */
export function readDifference(document: string, revision: string): Promise<MemoryDifference> {
  return getJson(`${address("memory-difference", document)}?${new URLSearchParams({ to: revision })}`);
}

export function restoreDocument(document: string, revision: string): Promise<MemoryChange> {
  return postJson(address("memory-restore", document), { revision });
}

/** Slashes are encoded too: a browser would take `..` for a step up, and ask for something else. */
function address(route: string, document: string): string {
  return `/api/${route}/${encodeURIComponent(document)}`;
}
