/** Questions at the terminal. Without one nothing is asked, and the caller says which option to give instead. */
import { createInterface } from "node:readline/promises";

export interface Prompt {
  isPossible: boolean;
  /** One line, as typed, without its end. */
  ask(question: string): Promise<string>;
  /** As `ask`; what is typed is not shown. */
  askHidden(question: string): Promise<string>;
}

export function createPrompt(options: {
  input: NodeJS.ReadStream;
  output: NodeJS.WriteStream;
  signal: AbortSignal;
}): Prompt {
  const { input, output, signal } = options;
  return {
    isPossible: input.isTTY === true && output.isTTY === true,
    async ask(question) {
      const reader = createInterface({ input, output });
      try {
        return (await reader.question(question, { signal })).trim();
      } finally {
        reader.close();
      }
    },
    askHidden: (question) => readHidden({ input, output, signal, question }),
  };
}

/** Reads keys one by one with the terminal's echo off, which is what raw mode does. */
function readHidden(options: {
  input: NodeJS.ReadStream;
  output: NodeJS.WriteStream;
  signal: AbortSignal;
  question: string;
}): Promise<string> {
  const { input, output, signal } = options;
  return new Promise((resolve, reject) => {
    let typed = "";
    const end = (work: () => void): void => {
      input.off("data", onData);
      signal.removeEventListener("abort", onAbort);
      input.setRawMode(false);
      input.pause();
      output.write("\n");
      work();
    };
    const onAbort = (): void => end(() => reject(signal.reason));
    const onKey = (key: string): "end" | "more" => {
      if (key === "\r" || key === "\n" || key === "\u0004") {
        end(() => resolve(key === "\u0004" ? "" : typed.trim()));
        return "end";
      }
      // Ctrl-C does not become a signal in raw mode; what the signal aborts ends this question, too.
      if (key === "\u0003") process.kill(process.pid, "SIGINT");
      else if (key === "\u007f" || key === "\b") typed = typed.slice(0, -1);
      else if (key >= " ") typed += key;
      return "more";
    };
    const onData = (chunk: Buffer): void => {
      for (const key of chunk.toString("utf8")) if (onKey(key) === "end") return;
    };
    signal.addEventListener("abort", onAbort);
    // First: what is typed as soon as the question shows must not be seen.
    input.setRawMode(true);
    output.write(options.question);
    input.resume();
    input.on("data", onData);
  });
}
