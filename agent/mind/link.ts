/**
 * The mind's connection to its gateway: plain HTTP over a Unix socket. The gateway may be killed and started at any
 * time; the link finds it again, says hello again, and holds back requests meanwhile.
 */
import type { Agent } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { ProviderError } from "../../tools/errors.ts";
import type { Log } from "../log.ts";
import { type Hello, type HelloAnswer, helloAnswerSchema, type Work, workSchema } from "../protocol.ts";

export interface LinkOptions {
  socketPath: string;
  /** A function is asked at each hello: what answers may have changed. */
  hello: Hello | (() => Hello);
  log: Log;
  /** After this long without any gateway the mind has no one to work for. */
  giveUpMs: number;
  /** Called for each work item, in order. */
  onWork(work: Work): void;
  /** Called each time a gateway answered the hello, before its work arrives. */
  onUp(answer: HelloAnswer): void;
}

export interface Answer {
  status: number;
  body: unknown;
}

export interface Link {
  /** Runs until `stop`, or until it gave up. */
  run(): Promise<"stopped" | "gave_up">;
  /** One request, tried again over a lost connection until a gateway answers. Only for what is safe to repeat. */
  call(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer>;
  /** One request over the present connection; throws when that fails. */
  once(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer>;
  /** Resolves with the last hello's answer as soon as a gateway is there. */
  whenUp(): Promise<HelloAnswer>;
  stop(): void;
}

// An `import` of node:http reads all its exports, and one of them loads a whole WebSocket client: 40 ms of every start.
const http = process.getBuiltinModule("node:http");

const firstBackoffMs = 10;
const longestBackoffMs = 2_000;
/** A gateway answers from memory or its store; longer means that it hangs. */
const requestTimeoutMs = 30_000;
/** A work item is one chat message at most; this is far above it. */
const longestLine = 4 * 1024 * 1024;

export function makeLink(options: LinkOptions): Link {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  const stopping = new AbortController();
  let up = Promise.withResolvers<HelloAnswer>();
  let isUp = false;

  const once: Link["once"] = (method, path, body) =>
    exchange({ agent, socketPath: options.socketPath, method, path, body, signal: stopping.signal });

  async function connect(): Promise<boolean> {
    const answer = await once("POST", "/hello", typeof options.hello === "function" ? options.hello() : options.hello);
    if (answer.status !== 200) {
      options.log("warn", "hello.refused", { status: answer.status, body: JSON.stringify(answer.body).slice(0, 500) });
      return false;
    }
    const hello = helloAnswerSchema.parse(answer.body);
    options.onUp(hello);
    isUp = true;
    up.resolve(hello);
    await readWork();
    return true;
  }

  function readWork(): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = http.request(
        { socketPath: options.socketPath, path: "/work", agent: false, signal: stopping.signal },
        (response) => {
          if (response.statusCode !== 200) {
            response.resume();
            reject(new Error(`GET /work answered ${response.statusCode}`));
            return;
          }
          let rest = "";
          response.setEncoding("utf8");
          response.on("data", (text: string) => {
            const lines = (rest + text).split("\n");
            rest = lines.pop() ?? "";
            if (rest.length > longestLine) request.destroy(new Error("a work item is too long"));
            for (const line of lines) if (line.trim() !== "") take(line);
          });
          response.on("end", resolve);
          response.on("error", reject);
          response.on("close", resolve);
        },
      );
      request.on("error", reject);
      request.end();
    });
  }

  function take(line: string): void {
    let raw: unknown;
    try {
      raw = JSON.parse(line);
    } catch {
      options.log("error", "work.syntax");
      return;
    }
    const work = workSchema.safeParse(raw);
    // A newer gateway may know work that this mind does not.
    if (work.success) options.onWork(work.data);
    else options.log("warn", "work.unknown", { problem: work.error.issues[0]?.message ?? "" });
  }

  return {
    once,
    whenUp: () => up.promise,
    async run() {
      let backoffMs = firstBackoffMs;
      let lastSeen = performance.now();
      while (!stopping.signal.aborted) {
        const startedAt = performance.now();
        try {
          if (await connect()) lastSeen = performance.now();
        } catch (error) {
          if (isUp) lastSeen = performance.now();
          if (!stopping.signal.aborted)
            options.log("debug", "gateway.unreachable", { reason: (error as Error).message });
        }
        if (isUp) {
          isUp = false;
          up = Promise.withResolvers<HelloAnswer>();
          if (!stopping.signal.aborted) options.log("info", "gateway.lost");
        }
        if (stopping.signal.aborted) break;
        if (performance.now() - lastSeen > options.giveUpMs) return "gave_up";
        // A connection that held for a while was a good one: try again at once.
        if (performance.now() - startedAt > longestBackoffMs) backoffMs = firstBackoffMs;
        await delay(backoffMs * (0.75 + Math.random() / 4), undefined, { signal: stopping.signal }).catch(
          () => undefined,
        );
        backoffMs = Math.min(longestBackoffMs, backoffMs * 2);
      }
      return "stopped";
    },
    async call(method, path, body) {
      for (let backoffMs = firstBackoffMs; ; backoffMs = Math.min(longestBackoffMs, backoffMs * 2)) {
        await up.promise;
        try {
          const answer = await once(method, path, body);
          if (answer.status < 500) return answer;
          if (backoffMs >= longestBackoffMs) throw failureOf(answer, path);
        } catch (error) {
          if (stopping.signal.aborted || error instanceof ProviderError) throw error;
        }
        await delay(backoffMs, undefined, { signal: stopping.signal });
      }
    },
    stop() {
      stopping.abort();
      agent.destroy();
    },
  };
}

/** The error that a gateway's refusal means. */
export function failureOf(answer: Answer, path: string): ProviderError {
  const error = (answer.body as { error?: { code?: string; message?: string; hint?: string } } | null)?.error;
  return new ProviderError(error?.message ?? `the gateway answered ${answer.status} to ${path}`, {
    code: error?.code ?? "gateway_refused",
    hint: error?.hint ?? "look at the gateway's log",
  });
}

interface Exchange {
  agent: Agent;
  socketPath: string;
  method: string;
  path: string;
  body: unknown;
  signal: AbortSignal;
}

function exchange({ agent, socketPath, method, path, body, signal }: Exchange): Promise<Answer> {
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const headers = payload ? { "content-type": "application/json", "content-length": payload.length } : {};
  return new Promise((resolve, reject) => {
    const request = http.request({ agent, socketPath, method, path, headers, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        try {
          resolve({ status: response.statusCode ?? 0, body: text === "" ? null : (JSON.parse(text) as unknown) });
        } catch {
          resolve({ status: response.statusCode ?? 0, body: null });
        }
      });
    });
    request.setTimeout(requestTimeoutMs, () =>
      request.destroy(new Error(`the gateway did not answer ${path} in time`)),
    );
    request.on("error", reject);
    request.end(payload);
  });
}
