/** An operation as one message that is edited until it ends. */
import type { OperationView } from "../../../../protocol.ts";
import { failureText, subtle } from "./speak-render.ts";

const barLength = 12;
const longestLine = 200;

const ends: Record<Exclude<OperationView["state"], "running">, string> = {
  succeeded: "✅ done",
  failed: "❌ failed",
  compensated: "↩️ failed and undone",
  cancelled: "⏹️ cancelled and undone",
};

/** Step n of m, what it does, the newest line of its progress; then how it ended. */
export function progressText(operation: OperationView): string {
  const { summary, state, steps, startedAt, endedAt, error, compensating } = operation;
  const title = `**${clip(summary)}**`;
  if (state !== "running") {
    const took = endedAt === null ? "" : ` after ${durationText(endedAt - startedAt)}`;
    return [`${title} — ${ends[state]}${took}`, ...(error ? [failureText(error)] : [])].join("\n");
  }
  const ended = steps.filter((step) => step.state === "succeeded").length;
  const current = steps.findIndex((step) => ["running", "compensating", "failed"].includes(step.state));
  const number = current < 0 ? Math.min(ended + 1, steps.length) : current + 1;
  const step = steps[number - 1];
  const filled = steps.length === 0 ? 0 : Math.round((ended / steps.length) * barLength);
  const bar = "▰".repeat(filled) + "▱".repeat(barLength - filled);
  const doing = step ? `step ${number} of ${steps.length}: ${step.name.replaceAll("_", " ")}` : "starting";
  return [
    title,
    `${bar} ${compensating ? "undoing, " : ""}${doing}`,
    ...(operation.progress ? [subtle(clip(operation.progress))] : []),
  ].join("\n");
}

function clip(line: string): string {
  const flat = line.replace(/\s+/g, " ").trim();
  return flat.length <= longestLine ? flat : `${flat.slice(0, longestLine - 1).toWellFormed()}…`;
}

function durationText(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
