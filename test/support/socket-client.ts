/** Raw HTTP over a Unix socket, for tests that say what no honest client would. */
import { type IncomingMessage, request } from "node:http";

export interface SocketAnswer {
  status: number;
  text: string;
}

/** Sends anything; `body` as JSON unless it is text, which is sent as it is. */
export function callSocket(
  socketPath: string,
  method: string,
  path: string,
  options: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<SocketAnswer> {
  const { body, headers = {} } = options;
  const text = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath, method, path, agent: false, headers: { "content-type": "application/json", ...headers } },
      (response) => {
        readAll(response).then((answer) => resolve({ status: response.statusCode ?? 0, text: answer }), reject);
      },
    );
    sent.on("error", reject);
    sent.end(text);
  });
}

export interface LineStream {
  /** Every line so far, as JSON. */
  lines: { [key: string]: unknown }[];
  /** The other side has ended it. */
  ended(): boolean;
  close(): void;
}

/** Opens a stream of JSON lines and collects what comes. */
export function openLines(socketPath: string, path: string): Promise<LineStream> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, agent: false }, (response) => {
      const lines: LineStream["lines"] = [];
      let rest = "";
      let ended = false;
      response.setEncoding("utf8").on("data", (chunk: string) => {
        const parts = (rest + chunk).split("\n");
        rest = parts.pop() ?? "";
        lines.push(...parts.map((line) => JSON.parse(line) as { [key: string]: unknown }));
      });
      response.on("close", () => {
        ended = true;
      });
      response.on("error", () => {});
      resolve({ lines, ended: () => ended, close: () => sent.destroy() });
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}
