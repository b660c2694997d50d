/**
 * How the EBS client speaks HTTP: blocks go out through Node's own client with one timer each, everything else through
 * the SDK's handler. An upload spends most of its processor time here.
 */
import type { OutgoingHttpHeaders } from "node:http";
import type { NodeHttpHandler } from "@smithy/node-http-handler";

/** Of one block, from its start to its answer; a slow line then gets fewer at a time, not a failure. */
const blockTimeoutMs = 30_000;
/** Blocks that may be on their way at once, and a few other calls. */
const mostSockets = 72;

type Request = Parameters<NodeHttpHandler["handle"]>[0];
type Options = Parameters<NodeHttpHandler["handle"]>[1];
type Response = Awaited<ReturnType<NodeHttpHandler["handle"]>>;

export async function createBlockRequestHandler(timeouts: {
  requestTimeout: number;
  connectionTimeout: number;
}): Promise<NodeHttpHandler> {
  const { NodeHttpHandler: Handler } = await import("@smithy/node-http-handler");
  // `import` would evaluate every export of these, among them a WebSocket client that nobody wants (40 ms).
  const http = process.getBuiltinModule("node:http");
  const https = process.getBuiltinModule("node:https");
  const agentOptions = { keepAlive: true, maxSockets: mostSockets, noDelay: true };
  const httpAgent = new http.Agent(agentOptions);
  const httpsAgent = new https.Agent(agentOptions);

  const put = (request: Request): Promise<Response> =>
    new Promise((resolve, reject) => {
      const isSecure = request.protocol === "https:";
      const outgoing = (isSecure ? https : http).request({
        agent: isSecure ? httpsAgent : httpAgent,
        method: request.method,
        host: request.hostname.replace(/^\[|\]$/g, ""),
        port: request.port ?? null,
        path: request.path,
        headers: request.headers as OutgoingHttpHeaders,
      });
      const timer = setTimeout(() => {
        const error = new Error(`no answer within ${blockTimeoutMs / 1000} s`);
        outgoing.destroy(Object.assign(error, { name: "TimeoutError" }));
      }, blockTimeoutMs);
      outgoing.on("close", () => clearTimeout(timer));
      outgoing.on("error", reject);
      outgoing.on("response", (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const response = {
            statusCode: incoming.statusCode ?? 0,
            headers: incoming.headers as Record<string, string>,
            body: Buffer.concat(parts),
          };
          resolve({ response: response as unknown as Response["response"] });
        });
      });
      outgoing.end(request.body);
    });

  class BlockRequestHandler extends Handler {
    override handle(request: Request, options?: Options): Promise<Response> {
      if (request.method !== "PUT" || !Buffer.isBuffer(request.body)) return super.handle(request, options);
      return put(request);
    }
  }
  return new BlockRequestHandler({ ...timeouts, httpAgent, httpsAgent });
}
