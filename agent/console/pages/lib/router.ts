/** Where the person is, from the address' hash: `#/approvals/a-12` → view `approvals`, id `a-12`. */
export const viewNames = ["chat", "approvals", "fleet", "operations", "schedule", "cost", "audit"] as const;
export type ViewName = (typeof viewNames)[number];

export interface Route {
  view: ViewName;
  id: string | null;
}

/** Unknown addresses lead to the chat. */
export function readRoute(hash: string): Route {
  const [view = "", id = ""] = hash.replace(/^#\/?/, "").split("/");
  const known = viewNames.find((name) => name === view);
  return known ? { view: known, id: id ? safeDecode(id) : null } : { view: "chat", id: null };
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
