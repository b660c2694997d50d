/** The REST half: finds a request's route, asks the limits, applies faults, answers as Discord does, records it all. */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { botOf } from "./gateway-session.ts";
import type { Interactions } from "./interactions.ts";
import { makeLimits } from "./limits.ts";
import { Problem } from "./problem.ts";
import { readBody, requestLimitBytes } from "./request-body.ts";
import type { Call, Route } from "./routes.ts";
import type { Json, User, World } from "./world.ts";

export interface RecordedRequest {
  /** Method and path template, as faults name it: `POST /channels/:channel/messages`. */
  route: string;
  path: string;
  /** Id of the bot, or null when the token was not known. */
  bot: string | null;
  json: unknown;
  files: string[];
  status: number;
  /** Milliseconds of `performance.now()`, before the body was read. */
  at: number;
}

/** Handled, then the connection is cut; refused with a status; or held for a while before it is handled. */
export type Fault =
  | { kind: "lose"; route: string; times: number }
  | { kind: "status"; route: string; times: number; status: number }
  | { kind: "hold"; route: string; times: number; ms: number };

export function makeRest(options: { world: World; routes: Route[]; interactions: Interactions; areLimitsOn: boolean }) {
  const { world, interactions } = options;
  const limits = makeLimits(world.now);
  const requests: RecordedRequest[] = [];
  const faults: Fault[] = [];
  const compiled = options.routes.map((route) => ({
    route,
    name: `${route.method} ${route.path}`,
    parts: route.path.split("/"),
  }));

  function find(method: string, path: string) {
    const parts = path.split("/").map(decodeURIComponent);
    for (const one of compiled) {
      if (one.route.method !== method || one.parts.length !== parts.length) continue;
      const values: Record<string, string> = {};
      const matches = one.parts.every((part, index) => {
        if (!part.startsWith(":")) return part === parts[index];
        values[part.slice(1)] = parts[index]!;
        return true;
      });
      if (matches) return { ...one, values };
    }
    return null;
  }

  function takeFault(route: string): Fault | null {
    const index = faults.findIndex((one) => one.route === route && one.times > 0);
    const fault = faults[index];
    if (!fault) return null;
    fault.times -= 1;
    if (fault.times === 0) faults.splice(index, 1);
    return fault;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://localhost");
    const at = performance.now();
    if (request.method === "GET" && world.files.has(url.pathname)) {
      const file = world.files.get(url.pathname)!;
      response.writeHead(200, { "content-type": file.type, "content-length": file.bytes.length });
      response.end(file.bytes);
      return;
    }
    const path = url.pathname.replace(/^\/api\/v10/, "");
    const found = path === url.pathname ? null : find(request.method ?? "GET", path);
    const record: RecordedRequest = {
      route: found?.name ?? `${request.method} ${url.pathname}`,
      path,
      bot: null,
      json: undefined,
      files: [],
      status: 0,
      at,
    };
    requests.push(record);
    const reply = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
      record.status = status;
      response.writeHead(status, {
        date: new Date(world.now()).toUTCString(),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      });
      response.end(body === undefined ? undefined : JSON.stringify(body));
    };
    let headers: Record<string, string> = {};
    try {
      const bytes = await readAll(request);
      if (!found) throw new Problem("notFound");
      const bot = botFor(request, found.route, found.values);
      record.bot = bot.id;
      const fault = takeFault(found.name);
      if (fault?.kind === "status") return reply(fault.status, faultBody(fault.status));
      if (fault?.kind === "hold") await new Promise((resolve) => setTimeout(resolve, fault.ms));
      if (options.areLimitsOn) {
        const verdict = limits.ask({
          bot: bot.id,
          route: found.name,
          major: found.values.channel ?? found.values.guild ?? found.values.token ?? "",
          bucket: found.route.bucket,
          isExempt: found.route.isByToken ?? false,
        });
        headers = verdict.headers;
        if (verdict.refusal) return reply(429, verdict.refusal, headers);
      }
      const { json, files } = await readBody(bytes, request.headers["content-type"] ?? "");
      record.json = json;
      record.files = files.map(({ filename }) => filename);
      const call: Call = { bot, path: found.values, query: url.searchParams, json, files };
      const value = found.route.answer(call);
      if (fault?.kind === "lose") {
        record.status = 0;
        request.socket.destroy();
        return;
      }
      reply(value === undefined ? 204 : 200, value, headers);
    } catch (error) {
      if (error instanceof Problem) reply(error.status, error.body, headers);
      else {
        reply(500, { message: `the test server failed: ${error instanceof Error ? error.stack : error}`, code: 0 });
        process.stderr.write(`discord test server: ${error instanceof Error ? error.stack : error}\n`);
      }
    }
  }

  function botFor(request: IncomingMessage, route: Route, values: Record<string, string>): User {
    if (route.isByToken) {
      const bot = world.users.get(interactions.botOfToken(values.token ?? "") ?? "");
      if (!bot) throw new Problem(values.interaction ? "unknownInteraction" : "unknownWebhook");
      if (values.application && values.application !== bot.id) throw new Problem("unknownWebhook");
      return bot;
    }
    const bot = botOf(world, (request.headers.authorization ?? "").replace(/^Bot /, ""));
    if (!bot) throw new Problem("unauthorized");
    return bot;
  }

  const listener: RequestListener = (request, response) => void answer(request, response);
  return {
    listener,
    requests,
    addFault(fault: Fault): void {
      named(fault.route);
      faults.push(fault);
    },
    limit(route: string, seconds: number): void {
      named(route);
      limits.force(route, seconds);
    },
    clearFaults: (): void => void faults.splice(0),
  };

  function named(route: string): void {
    if (!compiled.some(({ name }) => name === route))
      throw new Error(`there is no route "${route}"; there are ${compiled.map(({ name }) => name).join(", ")}`);
  }
}

function faultBody(status: number): Json {
  if (status === 401) return { message: "401: Unauthorized", code: 0 };
  return { message: status === 503 ? "Service Unavailable" : "Internal Server Error", code: 0 };
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request) {
    length += (part as Buffer).length;
    if (length <= requestLimitBytes) parts.push(part as Buffer);
  }
  if (length > requestLimitBytes) throw new Problem("tooLarge");
  return Buffer.concat(parts);
}
