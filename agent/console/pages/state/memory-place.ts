/** Where the person is in the memory: `#/memory/daily/2026-01-31.md/history` → that document's history. */
export type MemoryPlace =
  | { kind: "start" }
  | { kind: "new" }
  | { kind: "document"; document: string; mode: "read" | "edit" | "history"; revision: string | null };

/** Only a document's own part ends in `.md`, so what stands behind it is no part of its name. */
export function readPlace(path: string[]): MemoryPlace {
  if (path.length === 0) return { kind: "start" };
  if (path.length === 1 && path[0] === "new") return { kind: "new" };
  const last = path.findIndex((part) => part.endsWith(".md"));
  const document = (last === -1 ? path : path.slice(0, last + 1)).join("/");
  const [word, revision] = last === -1 ? [] : path.slice(last + 1);
  if (word === "history") return { kind: "document", document, mode: "history", revision: revision ?? null };
  return { kind: "document", document, mode: word === "edit" ? "edit" : "read", revision: null };
}

export function documentHash(document: string, mode: "read" | "edit" | "history" = "read", revision?: string): string {
  const parts = [...document.split("/"), ...(mode === "read" ? [] : [mode]), ...(revision ? [revision] : [])];
  return `#/memory/${parts.map(encodeURIComponent).join("/")}`;
}

/** Where a link in a document leads: another document, or the web. Anything else is no link. */
export function documentLink(
  document: string,
  target: string,
  webAddress: (text: string) => string | null,
): string | null {
  const web = webAddress(target);
  if (web) return web;
  const path = /^([^:?#\\]+\.md)(?:#.*)?$/.exec(target)?.[1];
  if (!path || path.startsWith("/")) return null;
  const parts = document.split("/").slice(0, -1);
  for (const part of path.split("/")) {
    if (part === "..") {
      if (parts.length === 0) return null;
      parts.pop();
    } else if (part !== "." && part !== "") parts.push(safeDecode(part));
  }
  return documentHash(parts.join("/"));
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
