/** JSON log lines on standard error. */
import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { hideShapes } from "../memory/secret-shapes.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

const severity: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

export type Log = (level: LogLevel, message: string, fields?: { [key: string]: unknown }) => void;

/**
 * For somebody at a terminal: everything goes into the file, and only what they should act on onto the screen. A log
 * that cannot be written must not stop the program.
 */
export function writeForTerminal(path: string): (line: string) => void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return (line) => {
    try {
      appendFileSync(path, line, { mode: 0o600 });
    } catch {
      process.stderr.write(line);
      return;
    }
    if (/"level":"(warn|error)"/.test(line)) process.stderr.write(line);
  };
}

export function createLog(options: {
  least: LogLevel;
  base: { [key: string]: unknown };
  write?: (line: string) => void;
}): Log {
  const write = options.write ?? ((line: string) => process.stderr.write(line));
  return (level, message, fields = {}) => {
    if (severity[level] < severity[options.least]) return;
    const line = JSON.stringify({ at: new Date().toISOString(), level, message, ...options.base, ...fields });
    // Whatever it came from, a log line is no place for a key.
    write(`${hideShapes(line)}\n`);
  };
}
