/**
 * How the EBS client speaks HTTP: blocks go out through Node's own client with one timer each, everything else through
 * the SDK's handler. An upload spends most of its processor time here.
 */
import type { NodeHttpHandler } from "@smithy/node-http-handler";

/** Of one block, from its start to its answer; a slow line then gets fewer at a time, not a failure. */
const blockTimeoutMs = 30_000;
/** Blocks that may be on their way at once, and a few other calls. */
const mostSockets = 72;

type Request = Parameters<NodeHttpHandler["handle"]>[0];
type Options = Parameters<NodeHttpHandler["handle"]>[1];
type Response = Awaited<ReturnType<NodeHttpHandler["handle"]>>;

export interface BlockRequest {
  isSecure: boolean;
  host: string;
  /** Null is the protocol's own. */
  port: number | null;
  path: string;
  headers: Record<string, string>;
  body: Buffer;
}

export interface Answer {
  statusCode: number;
  headers: Record<string, string>;
  body: Buffer;
}

export interface BlockRequestHandler extends NodeHttpHandler {
  /** Sends the block as it is given; an answer of any status is an answer. */
  putBlock(request: BlockRequest): Promise<Answer>;
  /** The last block that the SDK sent, without the block. */
  readonly example: Omit<BlockRequest, "body"> | null;
}

export async function createBlockRequestHandler(timeouts: {
  requestTimeout: number;
  connectionTimeout: number;
}): Promise<BlockRequestHandler> {
  const { NodeHttpHandler: Handler } = await import("@smithy/node-http-handler");
  // `import` would evaluate every export of these, among them a WebSocket client that nobody wants (40 ms).
  const http = process.getBuiltinModule("node:http");
  const https = process.getBuiltinModule("node:https");
  const agentOptions = { keepAlive: true, maxSockets: mostSockets, noDelay: true };
  const httpAgent = new http.Agent(agentOptions);
  const httpsAgent = new https.Agent(agentOptions);

  const put = ({ isSecure, host, port, path, headers, body }: BlockRequest): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const outgoing = (isSecure ? https : http).request({
        agent: isSecure ? httpsAgent : httpAgent,
        method: "PUT",
        host,
        port,
        path,
        // In pairs, Node takes them as they are.
        headers: Object.entries(headers).flat(),
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
        incoming.on("end", () =>
          resolve({
            statusCode: incoming.statusCode ?? 0,
            headers: incoming.headers as Record<string, string>,
            body: Buffer.concat(parts),
          }),
        );
      });
      outgoing.end(body);
    });

  class Both extends Handler implements BlockRequestHandler {
    putBlock = put;
    example: BlockRequestHandler["example"] = null;

    override async handle(request: Request, options?: Options): Promise<Response> {
      if (request.method !== "PUT" || !Buffer.isBuffer(request.body)) return super.handle(request, options);
      const { protocol, hostname, path, headers } = request;
      const host = hostname.replace(/^\[|\]$/g, "");
      this.example = { isSecure: protocol === "https:", host, port: request.port ?? null, path, headers };
      return { response: (await put({ ...this.example, body: request.body })) as unknown as Response["response"] };
    }
  }
  return new Both({ ...timeouts, httpAgent, httpsAgent });
}
