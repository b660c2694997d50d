/** Every scenario of this directory, against the real program. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { atMost } from "../../support/at-most.ts";
import { cloneProgram } from "../../support/program.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { play, readScenario } from "./driver.ts";

/** They wait for processes and for each other's words more than they work. */
const inTurn = atMost(3);
const directory = temporaryDirectory(afterAll);
let program = "";
beforeAll(() => {
  program = cloneProgram(directory);
});

for (const file of readdirSync(import.meta.dirname).filter((name) => name.endsWith(".yaml"))) {
  const scenario = readScenario(join(import.meta.dirname, file));
  test.concurrent(`${file.replace(".yaml", "")}: ${scenario.what}`, { timeout: 400_000 }, ({ onTestFinished }) =>
    inTurn(() => play(scenario, { program, atEnd: onTestFinished })),
  );
}
