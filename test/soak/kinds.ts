/** What the soak runs, and what it tells of each run. */
export const soakKinds = ["build", "launch", "replace", "roll", "retire", "undo", "random"] as const;
export type SoakKind = (typeof soakKinds)[number];

export interface SoakResult {
  kind: SoakKind;
  /** `<step>.<point>`, where the gateway was killed; for `random` the number of the round. */
  point: string;
  index: number;
  of: number;
  seconds: number;
  /** What was not as it should be; null when it survived. */
  failure: string | null;
}
