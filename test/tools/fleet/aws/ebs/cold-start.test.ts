import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import {
  isRepaired,
  onEmulator,
  randomBlock,
  readSnapshot,
  temporaryDirectory,
  withEmulator,
  writeImage,
} from "./uploads.ts";

const bench = withEmulator();
const main = join(import.meta.dirname, "..", "..", "..", "..", "..", "agent", "main.ts");
/** Tells of every start of the program, and not of its threads. */
const told = `import { isMainThread } from "node:worker_threads"; if (isMainThread) console.error("started");`;

describe.skipIf(!isRepaired)(`the first upload after an installation, ${onEmulator}`, () => {
  it("starts a second time without what compiles the program, and the next one does not", async () => {
    const directory = temporaryDirectory();
    const run = async (file: string) => {
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        [
          ...["--disable-warning=ExperimentalWarning", `--import=data:text/javascript,${encodeURIComponent(told)}`],
          ...[main, "image", "upload", file, "--json"],
        ],
        {
          env: {
            ...process.env,
            ...bench.emulator.environment,
            CLAWDINATOR_HOME: directory,
            NODE_COMPILE_CACHE: join(directory, "compiled"),
          },
        },
      );
      const { snapshot } = JSON.parse(stdout) as { snapshot: string };
      expect((await readSnapshot(bench.clients, snapshot, 2)).equals(readFileSync(file))).toBe(true);
      return stderr.split("started").length - 1;
    };
    expect(await run(writeImage(directory, [randomBlock(), randomBlock()]))).toBe(2);
    expect(await run(writeImage(directory, [randomBlock(), randomBlock()]))).toBe(1);
  });
});
