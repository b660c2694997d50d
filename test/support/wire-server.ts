/**
 * An endpoint on a local port that speaks a provider's wire format: it keeps the bytes of each request, refuses what the
 * real interface refuses, and answers with the next prepared turn in the shape that the real one streams.
 */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setImmediate as nextTick } from "node:timers/promises";
import { onTestFinished } from "vitest";
import type { Model } from "../../agent/mind/models/model.ts";
import type { ProviderOptions } from "../../agent/mind/models/provider-options.ts";

/** What a model says in one turn, apart from any format. */
export interface WireTurn {
  thinking?: string;
  /** Pieces as they are streamed. */
  text?: string[];
  /** Said after the first call, where the format can have it so. */
  textBetween?: string;
  calls?: { id?: string; name: string; arguments: string[] }[];
  usage?: { input: number; cacheRead?: number; cacheWrite?: number; output: number };
  end?: "length" | "declined";
}

export type WireAnswer =
  | {
      turn: WireTurn;
      /** Bytes after which the connection is cut, or said no more. */
      until?: number;
      ends?: "cut" | "silent" | "early";
      /** Sent in pieces of this many bytes; the first one may have another length. */
      pieces?: number;
      firstPiece?: number;
    }
  | { raw: string }
  | { status: number; headers?: Record<string, string>; body: unknown };

export interface WireRequest {
  path: string;
  headers: IncomingHttpHeaders;
  bytes: Buffer;
  body: { [key: string]: unknown };
}

/** One provider's format. Made anew for each server: it remembers what it has said. */
export interface Wire {
  path: string;
  /** Why the real interface would answer 400, or null. */
  problemOf(body: { [key: string]: unknown }): string | null;
  /** The whole stream of an answer to this request. */
  streamOf(turn: WireTurn, body: { [key: string]: unknown }): string;
  errorOf(type: string, message: string): unknown;
}

export interface WireServer {
  baseUrl: string;
  requests: WireRequest[];
  answers: WireAnswer[];
  /** Why requests were refused. */
  problems: string[];
  /** Requests whose connection the client closed before the answer's end. */
  cancelled: () => number;
}

export async function startWireServer(wire: Wire, answers: WireAnswer[]): Promise<WireServer> {
  const requests: WireRequest[] = [];
  const problems: string[] = [];
  let cancelled = 0;
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      // The client went away in the middle of its request.
    }
    if (!request.complete) {
      cancelled += 1;
      return;
    }
    const bytes = Buffer.concat(parts);
    const body = JSON.parse(bytes.toString()) as { [key: string]: unknown };
    requests.push({ path: request.url ?? "", headers: request.headers, bytes, body });
    response.on("close", () => {
      if (!response.writableFinished) cancelled += 1;
    });
    const answer = answers.shift();
    const problem = request.url === wire.path ? wire.problemOf(body) : `there is no ${request.url}`;
    if (problem !== null || answer === undefined) {
      const message = problem ?? "no answer was prepared for this request";
      problems.push(message);
      sendJson(response, 400, {}, wire.errorOf("invalid_request_error", message));
    } else if ("status" in answer) sendJson(response, answer.status, answer.headers ?? {}, answer.body);
    else await sendStream(response, "raw" in answer ? { ...answer, turn: {} } : answer, wire, body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const prefix = wire.path.startsWith("/v1/chat") || wire.path === "/v1/responses" ? "/v1" : "";
  return { baseUrl: origin + prefix, requests, answers, problems, cancelled: () => cancelled };
}

function sendJson(response: ServerResponse, status: number, headers: Record<string, string>, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

async function sendStream(
  response: ServerResponse,
  answer: Extract<WireAnswer, { turn: WireTurn }> & { raw?: string },
  wire: Wire,
  body: { [key: string]: unknown },
): Promise<void> {
  const whole = Buffer.from(answer.raw ?? wire.streamOf(answer.turn, body));
  const bytes = whole.subarray(0, answer.until ?? whole.length);
  response.socket?.setNoDelay(true);
  response.writeHead(200, { "content-type": "text/event-stream" });
  const pieces = piecesOf(bytes, answer);
  for (const piece of pieces) {
    await new Promise((resolve) => response.write(piece, resolve));
    // The client, in this same process, reads a piece before the next one is sent: otherwise they would come as one.
    for (let tick = 0; pieces.length > 1 && tick < 3; tick++) await nextTick();
  }
  if (answer.ends === "silent") return;
  if (answer.ends === "cut") {
    response.write("", () => setImmediate(() => response.destroy()));
    return;
  }
  response.end();
}

function piecesOf(
  bytes: Buffer,
  { pieces = bytes.length, firstPiece = pieces }: { pieces?: number; firstPiece?: number },
) {
  const all: Buffer[] = [];
  for (let start = 0, end = firstPiece; start < bytes.length; start = end, end += Math.max(1, pieces))
    all.push(bytes.subarray(start, end));
  return all;
}

/** Server-sent events, each with its type as its name where the format has it so. */
export function eventStream(events: { type: string }[]): string {
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join("");
}

/** A provider together with its format. */
export interface WiredProvider {
  name: string;
  wire(): Wire;
  model(options: ProviderOptions): Model;
  /** Environment with a key and an address. */
  environment(values: { key?: string; baseUrl?: string }): ProviderOptions["environment"];
  /** Header that carries the key, and its value. */
  keyHeader(key: string): [name: string, value: string];
  /** A model whose name the provider's tables know as one that thinks. */
  modelName: string;
}

/** The first field of an object that is not in the list. */
export function unknownField(value: object, known: readonly string[], where: string): string | null {
  const field = Object.keys(value).find((name) => !known.includes(name));
  return field === undefined ? null : `${where}.${field}: Extra inputs are not permitted`;
}
