/** What the soak runs, and what it tells of each run. */
export const soakKinds = ["build", "launch", "replace", "roll", "retire", "undo", "random", "memory"] as const;
/** What a kill is aimed at: the gateway while it carries out an operation; `memory` has a file of its own. */
export const operationKinds = soakKinds.filter((kind) => kind !== "memory");
export type SoakKind = (typeof soakKinds)[number];

export interface SoakResult {
  kind: SoakKind;
  /** `<step>.<point>`, where the gateway was killed; for `random` the number of the round; for `memory` the storm. */
  point: string;
  index: number;
  of: number;
  seconds: number;
  /** What was not as it should be; null when it survived. */
  failure: string | null;
}
