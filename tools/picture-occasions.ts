/** The words by which a picture is found. */

export const occasions = [
  "ready",
  "landed",
  "rejected",
  "retired",
  "waiting",
  "praise",
  "approved",
  "failed-but-fixed",
  "thinking",
  "greeting",
  "goodbye",
  "rollback-done",
  "night",
  "stale",
  "triage",
  "celebrate",
  "sorry",
  "launch",
  "replace",
  "image-built",
  "memory",
  "budget-out",
  "paused",
  "resumed",
  "question",
] as const;
export type Occasion = (typeof occasions)[number];

export const moods = [
  "proud",
  "happy",
  "warm",
  "busy",
  "patient",
  "sleepy",
  "puzzled",
  "sorry",
  "firm",
  "calm",
] as const;
export type Mood = (typeof moods)[number];

export function isOccasion(text: string): text is Occasion {
  return (occasions as readonly string[]).includes(text);
}
