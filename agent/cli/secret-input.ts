/** Where a secret's value comes from: a file, standard input, or a prompt without echo. Never the command line. */
import { readFileSync } from "node:fs";
import { ConfigError, ToolError } from "../../tools/errors.ts";
import { UsageError } from "./output.ts";

interface Terminal {
  input: NodeJS.ReadStream;
  output: NodeJS.WritableStream;
}

/** The text as it was given. `name` is for the prompt only. */
export async function readSecretText(
  name: string,
  fromFile: string | null,
  terminal: Terminal = { input: process.stdin, output: process.stderr },
): Promise<string> {
  if (fromFile !== null) return readSecretFile(fromFile);
  if (!terminal.input.isTTY) return readAll(terminal.input);
  if (name.endsWith("-pem")) {
    throw new UsageError(
      `${name} has many lines, which a prompt cannot take`,
      `give the file: clawdinator secrets put ${name} --from-file key.pem`,
    );
  }
  return promptHidden(`${name} (not shown): `, terminal);
}

function readSecretFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new ConfigError(`cannot read ${path}: ${(cause as Error).message}`, {
      code: "file_unreadable",
      hint: "check the path given with --from-file",
      cause,
    });
  }
}

async function readAll(input: NodeJS.ReadStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Buffer | string));
  return Buffer.concat(chunks).toString("utf8");
}

const [endOfText, endOfTransmission, backspace, del] = ["\u0003", "\u0004", "\b", "\u007f"];

/** One line, with the terminal's echo off until it ends, however it ends. */
function promptHidden(prompt: string, { input, output }: Terminal): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const finish = (act: () => void): void => {
      input.off("data", onData);
      input.setRawMode(false);
      input.pause();
      output.write("\n");
      act();
    };
    const onData = (chunk: Buffer | string): void => {
      for (const character of chunk.toString()) {
        if (character === endOfText) {
          finish(() =>
            reject(new ToolError("cancelled", { code: "cancelled", hint: "nothing was changed; run it again" })),
          );
          return;
        }
        if (character === "\r" || character === "\n" || character === endOfTransmission) {
          finish(() => resolve(text));
          return;
        }
        if (character === backspace || character === del) text = [...text].slice(0, -1).join("");
        else text += character;
      }
    };
    input.setRawMode(true);
    input.setEncoding("utf8");
    input.on("data", onData);
    input.resume();
    output.write(prompt);
  });
}
