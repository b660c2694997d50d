/** What the bootstrap says while it works: lines for people, or one JSON object a line. */
import type { Output } from "../agent/cli/output.ts";
import type { Json } from "../tools/json.ts";
import type { Redactor } from "./redact.ts";

export type SpeechKind = "plan" | "step" | "progress" | "note" | "warning" | "done" | "skipped" | "failed" | "result";

export interface Speaker {
  /** `text` null: for programs only. */
  say(kind: SpeechKind, text: string | null, fields?: { [key: string]: Json }): void;
  /** The step that the next lines belong to. */
  enter(step: string | null): void;
}

const marks: Partial<Record<SpeechKind, string>> = {
  progress: "    ",
  note: "    ",
  warning: "  ! ",
  done: "  ✓ ",
  skipped: "  – ",
  failed: "  ✗ ",
};

export function createSpeaker(options: { output: Output; redactor: Redactor; now?: () => number }): Speaker {
  const { output, redactor } = options;
  const now = options.now ?? Date.now;
  let step: string | null = null;
  let last = "";
  return {
    enter(name) {
      step = name;
      last = "";
    },
    say(kind, text, fields = {}) {
      // A step that tells the same again and again is told once.
      const key = `${kind}/${text}`;
      if (kind === "progress" && key === last) return;
      last = key;
      const value = { at: new Date(now()).toISOString(), step, kind, ...(text === null ? {} : { text }), ...fields };
      const shown = text === null ? null : indent(redactor.redact(text), marks[kind] ?? "");
      output.line(JSON.parse(redactor.redact(JSON.stringify(value))), shown);
    },
  };
}

function indent(text: string, mark: string): string {
  const [first = "", ...rest] = text.split("\n");
  return [mark + first, ...rest.map((line) => " ".repeat(mark.length) + line)].join("\n");
}
