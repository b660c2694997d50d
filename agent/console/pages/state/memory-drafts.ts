/** Texts that are being written. They outlive their editor, so that a lost session loses no words. */
export interface Draft {
  /** As it is to be called; of a document that exists, its name. */
  document: string;
  text: string;
  /** Text and revisions that its author began with; none for a new document. */
  from: string;
  base: string[];
  /** The author stands for the whole text. */
  vouch: boolean;
}

const drafts = new Map<string, Draft>();

/** `null`: of the document that has no name yet. */
export function draftOf(document: string | null): Draft | undefined {
  return drafts.get(document ?? "");
}

export function keepDraft(document: string | null, draft: Draft): Draft {
  drafts.set(document ?? "", draft);
  return draft;
}

export function dropDraft(document: string | null): void {
  drafts.delete(document ?? "");
}

/** Something would be lost without a save. */
export function isUnsaved({ text, from }: Draft): boolean {
  return text !== from;
}
