/**
 * Failpoints: places where a test kills this process, to show that nothing is lost there. Armed only by the variable
 * CLAWDINATOR_FAILPOINTS, the path of a directory: a file `NAME` in it (or `every`) kills the process when the point
 * NAME is passed, each point once. `fired/` lists the points that did.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export function failpoint(name: string): void {
  const directory = process.env.CLAWDINATOR_FAILPOINTS;
  if (!directory) return;
  const file = name.replaceAll("/", "~");
  const armed = existsSync(join(directory, file));
  if (!armed && !existsSync(join(directory, "every"))) return;
  mkdirSync(join(directory, "fired"), { recursive: true });
  try {
    writeFileSync(join(directory, "fired", file), "", { flag: "wx" });
  } catch {
    return;
  }
  rmSync(join(directory, file), { force: true });
  process.kill(process.pid, "SIGKILL");
}
