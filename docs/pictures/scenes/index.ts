/** Every scene, in the order of the index. */
import type { Scene } from "../scene.ts";
import { answers } from "./answers.ts";
import { fleet } from "./fleet.ts";
import { quiet } from "./quiet.ts";
import { work } from "./work.ts";

export const scenes: readonly Scene[] = [...answers, ...fleet, ...work, ...quiet];
