import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/**
 * A directory for a memory that goes when the test ends: below /dev/shm where there is one, since flushing to a disk that
 * all tests share takes most of the time, and neither a kill nor an injected fault can tell the difference.
 */
export function memoryDirectory(atEnd: (work: () => void) => void = onTestFinished): string {
  const parent = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
  const directory = mkdtempSync(join(parent, "clawdinator-test-"));
  atEnd(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}
