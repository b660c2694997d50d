/**
 * `fetch` for the SDKs by node:http: one request to a model costs a quarter of the time and of the garbage. It does what
 * they use of it; a redirect, which no model endpoint makes as a rule, is left to the real one.
 */
import type { Agent, IncomingMessage, RequestOptions } from "node:http";
import type { Readable } from "node:stream";
import { requestTimeoutMs } from "./attempt.ts";

/** Idle connections are closed before most servers close them: a request on one that just went would fail. */
const idleMs = 4_000;
/** An answer has said all that matters; what is left of it is read so that its connection can be used again. */
const lastBytesMs = 1_000;

type Scheme = "http:" | "https:";

/** Connections are kept for the next request. */
export function httpFetch(): typeof fetch {
  const agents = new Map<Scheme, Agent>();

  function agentOf(scheme: Scheme): Agent {
    const known = agents.get(scheme);
    if (known) return known;
    const { Agent } = moduleOf(scheme);
    const agent = new Agent({ keepAlive: true, timeout: idleMs });
    agents.set(scheme, agent);
    return agent;
  }

  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const { body } = init;
    const isPlain = body === undefined || body === null || typeof body === "string" || ArrayBuffer.isView(body);
    if (!isPlain || !isScheme(url.protocol)) return fetch(input, init);
    const bytes = bytesOf(body ?? null);
    const headers = Object.fromEntries(new Headers(init.headers));
    if (bytes) headers["content-length"] = String(bytes.length);
    // Without the agent's timeout for idle connections, which would hold for this request, too.
    const options: RequestOptions = { method: init.method ?? "GET", headers, timeout: requestTimeoutMs };
    const signal = init.signal ?? null;
    signal?.throwIfAborted();
    const answer = await exchange(url, { ...options, agent: agentOf(url.protocol) }, { bytes, signal });
    const status = answer.statusCode ?? 0;
    if (status >= 300 && status < 400 && answer.headers.location !== undefined) {
      answer.resume();
      return fetch(input, init);
    }
    return responseOf(answer, url.href);
  };
}

function isScheme(protocol: string): protocol is Scheme {
  return protocol === "http:" || protocol === "https:";
}

/** An `import` of them reads all their exports, which costs 40 ms; see link.ts. */
function moduleOf(scheme: Scheme): typeof import("node:http") | typeof import("node:https") {
  return scheme === "https:" ? process.getBuiltinModule("node:https") : process.getBuiltinModule("node:http");
}

function bytesOf(body: string | ArrayBufferView | null): Buffer | null {
  if (body === null) return null;
  return typeof body === "string" ? Buffer.from(body) : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
}

function exchange(
  url: URL,
  options: RequestOptions,
  { bytes, signal }: { bytes: Buffer | null; signal: AbortSignal | null },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = moduleOf(url.protocol as Scheme).request(url, options);
    let answer: IncomingMessage | null = null;
    const stop = () => {
      reject(signal?.reason);
      (answer ?? request).destroy(signal?.reason as Error);
    };
    // Not node:http's own signal: that destroys the connection even when the answer is over and another request has it.
    signal?.addEventListener("abort", stop, { once: true });
    const forget = () => signal?.removeEventListener("abort", stop);
    request.on("response", (begun) => {
      answer = begun;
      begun.once("end", forget);
      resolve(begun);
    });
    request.on("close", forget);
    request.on("timeout", () => request.destroy(new Error(`no data for ${requestTimeoutMs / 1000} s`)));
    // As the real one fails: the SDKs look for these.
    request.on("error", (cause) => reject(new TypeError("fetch failed", { cause })));
    request.end(bytes ?? undefined);
  });
}

function responseOf(answer: IncomingMessage, url: string): Response {
  const headers = new Headers();
  for (let index = 0; index + 1 < answer.rawHeaders.length; index += 2)
    headers.append(answer.rawHeaders[index] ?? "", answer.rawHeaders[index + 1] ?? "");
  const { statusCode: status = 200, statusMessage: statusText = "" } = answer;
  const response = new Response(null, { status, statusText, headers });
  const body = decoded(answer);
  // Whoever reads it hears of an error there; one that comes when nobody reads any more matters to nobody.
  for (const stream of [answer, body]) stream.on("error", () => undefined);
  const text = async (): Promise<string> => {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString("utf8");
  };
  return Object.defineProperties(response, {
    url: { value: url },
    body: { value: chunksOf(answer, body) },
    text: { value: text },
    json: { value: async () => JSON.parse(await text()) as unknown },
  });
}

/** Nobody asked for it, and some proxies do it all the same. */
function decoded(answer: IncomingMessage): Readable {
  const encoding = answer.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity" || encoding === "") return answer;
  const zlib = process.getBuiltinModule("node:zlib");
  const make = { gzip: zlib.createGunzip, br: zlib.createBrotliDecompress, deflate: zlib.createInflate }[encoding];
  if (make === undefined) return answer;
  const decoder = make();
  answer.on("error", (error) => decoder.destroy(error));
  return answer.pipe(decoder);
}

/** What the SDKs read a body by. Whoever stops reading has read the end, or aborts the request. */
function chunksOf(answer: IncomingMessage, body: Readable): AsyncIterable<Buffer> & { cancel(): Promise<void> } {
  const leave = (): void => {
    body.resume();
    if (answer.complete) return;
    const timer = setTimeout(() => answer.destroy(), lastBytesMs);
    timer.unref();
    answer.once("close", () => clearTimeout(timer));
  };
  return {
    [Symbol.asyncIterator]() {
      const chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
      return {
        next: () => chunks.next(),
        async return() {
          leave();
          return { done: true, value: undefined };
        },
      };
    },
    cancel: async () => leave(),
  };
}
