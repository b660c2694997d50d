/** What a scene is: one small animated picture as code. */
import type { Mood, Occasion } from "../../tools/picture-occasions.ts";
import type { Backdrop } from "./draw/palette.ts";

export interface Scene {
  id: string;
  /** What is to be seen, for who cannot see it, and on the command line. */
  alt: string;
  moods: readonly Mood[];
  occasions: readonly Occasion[];
  /** Fits a moment that is not for jokes. */
  serious?: boolean;
  backdrop: Backdrop;
  /** 12 to 24; default 14. */
  frames?: number;
  /** Default 100. */
  frameMs?: number;
  /** One frame; `t` runs from 0 to just before 1. The frame after the last is the first. */
  draw(t: number): string;
}
