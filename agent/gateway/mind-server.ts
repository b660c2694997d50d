/** The gateway's end of `mind.sock`. Everything that comes in is a claim and is validated; nothing here can approve. */

import { chmodSync, rmSync } from "node:fs";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { dirname } from "node:path";
import { z } from "zod";
import type { CostReport } from "../../tools/cost-report.ts";
import { describeError } from "../../tools/errors.ts";
import type { FleetDrift, FleetStatus } from "../../tools/fleet/model.ts";
import type { Sitrep } from "../../tools/sitrep.ts";
import { prepareSocketDirectory } from "../paths.ts";
import {
  eventsSchema,
  type Hello,
  type HelloAnswer,
  helloSchema,
  type Proof,
  proofSchema,
  proposeSchema,
  spendBeginSchema,
  spendEndSchema,
  type Work,
} from "../protocol.ts";
import type { Runs } from "./runs.ts";
import type { Spend } from "./spend/types.ts";

// Importing node:http by name loads all of it, a WebSocket client included: 40 ms of every start.
const http = process.getBuiltinModule("node:http");

/** Far above any honest message: a batch of 1,000 events of a long answer. */
const maxBodyBytes = 4 * 1024 * 1024;

/** Tells a dead connection from a quiet one. */
const pingMs = 15_000;

export interface MindServer {
  /** What the connected mind said of itself; null while none is connected. */
  connected(): Hello | null;
  close(): Promise<void>;
}

export async function startMindServer(options: {
  socket: string;
  runs: Runs;
  answerHello(hello: Hello): HelloAnswer;
  onConnect(hello: Hello): void;
  onDisconnect(): void;
  onProof(proof: Proof): void;
  spend: Pick<Spend, "begin" | "end">;
  cost(days: number): Promise<CostReport>;
  status(): Promise<FleetStatus>;
  drift(): Promise<FleetDrift>;
  sitrep(): Promise<Sitrep>;
  isPaused(): Promise<boolean>;
}): Promise<MindServer> {
  const { runs } = options;
  let hello: Hello | null = null;
  let stream: ServerResponse | null = null;

  const openWork = (response: ServerResponse): void => {
    if (!hello) {
      sendJson(response, 409, problem("no_hello", "say hello first", "POST /hello"));
      return;
    }
    // One mind at a time: a second connection replaces the first, whose process is gone or must not act.
    stream?.end();
    stream = response;
    const said = hello;
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    const send = (work: Work): void => {
      response.write(`${JSON.stringify(work)}\n`);
    };
    send({ type: "ping" });
    const ping = setInterval(() => send({ type: "ping" }), pingMs);
    const disconnect = runs.connect(send);
    options.onConnect(said);
    response.on("close", () => {
      clearInterval(ping);
      disconnect();
      if (stream !== response) return;
      stream = null;
      options.onDisconnect();
    });
  };

  const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<void> | void> = {
    "POST /hello": async (request, response) => {
      hello = helloSchema.parse(await readJson(request));
      sendJson(response, 200, options.answerHello(hello));
    },
    "GET /work": (_request, response) => openWork(response),
    "POST /events": async (request, response) => {
      const { run, events } = eventsSchema.parse(await readJson(request));
      const known = await runs.onEvents(run, events);
      if (known) sendJson(response, 200, {});
      else
        sendJson(
          response,
          404,
          problem("unknown_run", `there is no run ${run}`, "drop it; it is delivered again where it belongs"),
        );
    },
    "POST /propose": async (request, response) => {
      const answer = await runs.propose(proposeSchema.parse(await readJson(request)));
      if (answer) sendJson(response, 200, answer);
      else
        sendJson(
          response,
          404,
          problem("unknown_run", "there is no such run", "a proposal belongs to a run that was delivered here"),
        );
    },
    "POST /spend/begin": async (request, response) => {
      const asked = spendBeginSchema.parse(await readJson(request));
      const answer = await options.spend.begin(asked, asked.run === null ? null : runs.about(asked.run));
      if (answer) sendJson(response, 200, answer);
      else
        sendJson(
          response,
          404,
          problem("unknown_run", `there is no run ${asked.run}`, "drop it; it is delivered again where it belongs"),
        );
    },
    "POST /spend/end": async (request, response) => {
      const told = spendEndSchema.parse(await readJson(request));
      const run = told.begun?.run ?? null;
      const usd = await options.spend.end(told, run === null ? null : runs.about(run));
      if (usd !== null) sendJson(response, 200, { usd });
      else
        sendJson(
          response,
          404,
          problem("unknown_request", `there is no request ${told.request}`, "say with `begun` what was begun"),
        );
    },
    "GET /cost": async (request, response) => {
      const days = Number(new URL(request.url ?? "/", "http://mind").searchParams.get("days") ?? 1);
      sendJson(response, 200, await options.cost(Number.isInteger(days) && days > 0 ? days : 1));
    },
    "POST /proof": async (request, response) => {
      options.onProof(proofSchema.parse(await readJson(request)));
      sendJson(response, 200, {});
    },
    "GET /fleet/status": async (_request, response) => sendJson(response, 200, await options.status()),
    "GET /fleet/drift": async (_request, response) => sendJson(response, 200, await options.drift()),
    "GET /sitrep": async (_request, response) => sendJson(response, 200, await options.sitrep()),
    "GET /pause": async (_request, response) => sendJson(response, 200, { isPaused: await options.isPaused() }),
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = (request.url ?? "/").split("?")[0];
    const route = routes[`${request.method} ${path}`];
    if (route) await route(request, response);
    else
      sendJson(
        response,
        404,
        problem("unknown_route", `there is no ${request.method} ${path}`, "see agent/protocol.ts"),
      );
  };

  // Whatever comes in, nothing of it may be thrown out of here: that would end the gateway.
  const server = http.createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (response.headersSent) return;
      if (error instanceof z.ZodError) {
        const text = error.issues.map((issue) => `${issue.path.join(".") || "body"}: ${issue.message}`).join("; ");
        sendJson(response, 400, problem("invalid", text, "see agent/protocol.ts"));
        return;
      }
      if (error instanceof TooLarge) {
        sendJson(response, 413, problem("too_large", error.message, "send less"));
        // What is still to come of it is not read.
        request.resume();
        return;
      }
      if (error instanceof SyntaxError)
        sendJson(
          response,
          400,
          problem("invalid_json", `the body is not JSON: ${error.message}`, "see agent/protocol.ts"),
        );
      else sendJson(response, 500, { error: describeError(error) });
    });
  });
  await listenOnSocket(server, options.socket);

  return {
    connected: () => (stream ? hello : null),
    async close() {
      stream?.end();
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** Listens on a socket that only this user can reach; the process lock guarantees that a file there is a dead one's. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  prepareSocketDirectory(dirname(path));
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
}

class TooLarge extends Error {}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new TooLarge(`a body may hold ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString("utf8"));
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function problem(
  code: string,
  message: string,
  hint: string,
): { error: { code: string; message: string; hint: string } } {
  return { error: { code, message, hint } };
}
