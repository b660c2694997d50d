import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A directory that goes when the test ends. Call it before what lies in it is started, so that that is stopped first. */
export function temporaryDirectory(atEnd: (work: () => void) => void = onTestFinished): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), "clawdinator-test-")));
  atEnd(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}
