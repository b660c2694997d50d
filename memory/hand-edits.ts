/** What people changed in the views: taken in once, as the same revision by every host. */
import { checkText } from "./documents.ts";
import { MemoryError } from "./errors.ts";
import { lowestTrust } from "./fold.ts";
import { encodeRevision, lamportOf, type NewRevision } from "./revisions.ts";
import { findSecret } from "./secrets.ts";
import type { Store } from "./store.ts";
import type { MemoryProblem } from "./types.ts";
import type { View } from "./view.ts";

/** Null when nothing is left to do with the view; else why its text cannot be taken in: it must stay as it is. */
export type HandEditProblem = Omit<MemoryProblem, "revision"> | null;

/** Takes in what a person changed. The same text made from the same revisions counts once. */
export async function takeIn(store: Store, document: string, view: View): Promise<HandEditProblem> {
  if (view.state === "unusable")
    return refuse(document, `was not taken in: ${view.problem}`, "put Markdown text there");
  if (view.state !== "edited" && view.state !== "foreign") return null;
  const named = view.state === "edited" ? view.shown : [];
  const state = await store.load(document, named);
  const { text } = await state.folder.fold();
  if (view.body === text) return null;
  const problem = textProblem(document, view.body, text ?? "");
  if (problem !== null) return problem;
  // Without our comment line nothing says what the person had seen, so nothing is replaced.
  const parents = named.filter((revision) => state.set.has(revision)).sort();
  const { trust } = await state.folder.foldAt(parents);
  const content = handEdit(document, view.body, { parents, trust });
  // The same file was taken in before, by this host or another one, and may have been replaced since.
  if (state.set.has(encodeRevision(content).revision)) return null;
  await store.put(content);
  return null;
}

/** Nothing in it depends on who takes it in, or when. */
function handEdit(
  document: string,
  text: string,
  { parents, trust }: Pick<NewRevision, "parents" | "trust">,
): NewRevision {
  return {
    document,
    kind: "full",
    text,
    parents,
    lamport: 1 + Math.max(0, ...parents.map(lamportOf)),
    writer: "hand",
    author: "hand edit",
    source: document,
    trust: lowestTrust(["self", trust]),
    at: 0,
    nonce: "",
  };
}

function textProblem(document: string, text: string, before: string): HandEditProblem {
  const secret = findSecret(text, { before });
  if (secret !== null) {
    return refuse(
      document,
      `was not taken in: line ${secret.line} looks like it holds ${secret.kind}`,
      `take the secret out of the file ${document} and save it; the rest is taken in then`,
    );
  }
  try {
    checkText(document, text);
    return null;
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    return refuse(document, `was not taken in: ${error.message}`, error.hint);
  }
}

function refuse(document: string, problem: string, hint: string): HandEditProblem {
  return { document, problem: `an edit by hand ${problem}`, hint };
}
