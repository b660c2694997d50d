/** Every scenario of this directory, against the real program. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { play, readScenario } from "./driver.ts";

for (const file of readdirSync(import.meta.dirname).filter((name) => name.endsWith(".yaml"))) {
  const scenario = readScenario(join(import.meta.dirname, file));
  test(`${file.replace(".yaml", "")}: ${scenario.what}`, () => play(scenario), 180_000);
}
