import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Path of the browser that the console's tests drive: `CHROMIUM`, or the first one in PATH; null where there is none. */
export function findChromium(environment: NodeJS.ProcessEnv = process.env): string | null {
  const chosen = environment.CHROMIUM;
  if (chosen && isAbsolute(chosen)) return isExecutable(chosen) ? chosen : null;
  const directories = [...(environment.PATH ?? "").split(delimiter), "/usr/bin"].filter(
    (directory) => directory !== "",
  );
  const candidates = (chosen ? [chosen] : names).flatMap((name) =>
    directories.map((directory) => join(directory, name)),
  );
  return candidates.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
