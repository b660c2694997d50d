/**
 * Failpoints: places where a test kills this process, to show that nothing is lost there. Armed only by the variable
 * CLAWDINATOR_FAILPOINTS, the path of a directory: a file `NAME` in it kills the process when the point NAME is passed,
 * a file `every` at each point, or at each whose name ends as one of its lines says; each point once. `fired/` lists the
 * points that did.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export function failpoint(name: string): void {
  const directory = process.env.CLAWDINATOR_FAILPOINTS;
  if (!directory) return;
  const file = name.replaceAll("/", "~");
  if (!existsSync(join(directory, file)) && !isAmong(join(directory, "every"), name)) return;
  mkdirSync(join(directory, "fired"), { recursive: true });
  try {
    writeFileSync(join(directory, "fired", file), "", { flag: "wx" });
  } catch {
    return;
  }
  rmSync(join(directory, file), { force: true });
  process.kill(process.pid, "SIGKILL");
}

function isAmong(path: string, name: string): boolean {
  try {
    const endings = readFileSync(path, "utf8").split("\n").filter(Boolean);
    return endings.length === 0 || endings.some((ending) => name.endsWith(ending));
  } catch {
    return false;
  }
}
