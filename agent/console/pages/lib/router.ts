/** Where the person is, from the address' hash: `#/approvals/a-12` → view `approvals`, id `a-12`. */
export const viewNames = ["chat", "approvals", "fleet", "operations", "memory", "schedule", "cost", "audit"] as const;
export type ViewName = (typeof viewNames)[number];

export interface Route {
  view: ViewName;
  id: string | null;
  /** Every part behind the view; `id` is the first of them. */
  path: string[];
}

/** Unknown addresses lead to the chat. */
export function readRoute(hash: string): Route {
  const [view = "", ...parts] = hash.replace(/^#\/?/, "").split("/");
  const known = viewNames.find((name) => name === view);
  if (!known) return { view: "chat", id: null, path: [] };
  const path = parts.filter((part) => part !== "").map(safeDecode);
  return { view: known, id: path[0] ?? null, path };
}

export function routeHash(view: ViewName, id?: string | null): string {
  return id ? `#/${view}/${encodeURIComponent(id)}` : `#/${view}`;
}

/** The token of a login link, `#login=TOKEN`. */
export function loginToken(hash: string): string | null {
  const token = /^#login=(.+)$/.exec(hash)?.[1];
  return token ? safeDecode(token) : null;
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
