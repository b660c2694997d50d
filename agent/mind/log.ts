/** JSON log lines on stderr. Fields never hold message texts, keys or tool results. */
export type LogLevel = "debug" | "info" | "warn" | "error";
export type Log = (
  level: LogLevel,
  event: string,
  fields?: { [key: string]: string | number | boolean | null },
) => void;

const levels: LogLevel[] = ["debug", "info", "warn", "error"];

export function makeLog(options: { least: LogLevel; write(line: string): void; base: { [key: string]: string } }): Log {
  return (level, event, fields = {}) => {
    if (levels.indexOf(level) < levels.indexOf(options.least)) return;
    const time = new Date().toISOString();
    options.write(`${JSON.stringify({ time, level, event, ...options.base, ...fields })}\n`);
  };
}
