/** The command line's connection to a gateway of this machine: HTTP over its control socket. */

import { readdirSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { ConfigError, ToolError } from "../../tools/errors.ts";
import { readSpec } from "../../tools/fleet/local/instance-spec.ts";
import { compareNames } from "../../tools/fleet/name-order.ts";
import { isProcessLockHeld } from "../../tools/process-lock.ts";
import { readCredentials } from "../credentials.ts";
import { fleetPaths, instancePaths } from "../paths.ts";

// Importing node:http by name loads all of it, a WebSocket client included: a third of what a command takes.
const http = process.getBuiltinModule("node:http");

export interface Client {
  /** The instance that answers. */
  instance: string;
  name: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** Server-sent `data:` values of a POST; returns false when the connection was lost before the stream ended well. */
  stream(path: string, body: unknown, onData: (data: unknown) => void): Promise<void>;
}

interface Door {
  socket: string;
  instance: string;
  name: string;
}

/** Connects to the gateway of the lowest-numbered name that runs. Throws ConfigError `no_gateway` when none does. */
export async function connect(options: { home: string; as: string | null; instance?: string }): Promise<Client> {
  const door = (await findDoors(options.home)).find((one) => !options.instance || one.instance === options.instance);
  if (!door) {
    throw new ConfigError(`no gateway runs below ${options.home}`, {
      code: "no_gateway",
      hint: "start one with `npm start` (or `clawdinator up`), or set CLAWDINATOR_HOME to the state directory of the one that runs",
    });
  }
  const token = process.env.CLAWDINATOR_TOKEN ?? readCredentials(fleetPaths(options.home).credentials)?.token;
  if (!token) {
    throw new ConfigError("this user has no maintainer's token", {
      code: "no_token",
      hint: "set CLAWDINATOR_TOKEN to a token that a maintainer made with `clawdinator maintainers add NAME`",
    });
  }
  const headers: Record<string, string> = { authorization: `Bearer ${token}` };
  if (options.as !== null) headers["x-clawdinator-as"] = options.as;
  return createClient(door, headers);
}

/** Gateways that run here, sorted by name. */
export async function findDoors(home: string): Promise<Door[]> {
  let instances: string[];
  try {
    instances = readdirSync(fleetPaths(home).instances).filter((one) => !one.startsWith("."));
  } catch {
    return [];
  }
  const doors: Door[] = [];
  for (const instance of instances) {
    const paths = instancePaths(home, instance);
    const spec = await readSpec(paths.spec).catch(() => null);
    if (spec && isProcessLockHeld(paths.gatewayLock))
      doors.push({ socket: paths.controlSocket, instance, name: spec.name });
  }
  return doors.sort((a, b) => compareNames(a.name, b.name));
}

function createClient(door: Door, headers: Record<string, string>): Client {
  const open = (method: string, path: string, body: unknown): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? null : JSON.stringify(body);
      const request = http.request(
        {
          socketPath: door.socket,
          method,
          path,
          headers: {
            ...headers,
            ...(text === null ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
          },
        },
        resolve,
      );
      request.on("error", (cause) =>
        reject(
          new ConfigError(`cannot reach the gateway of ${door.name}: ${cause.message}`, {
            code: "no_gateway",
            hint: "it is starting or stopping: try again, or start it with `npm start`",
            cause,
          }),
        ),
      );
      request.end(text ?? undefined);
    });

  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await open(method, path, body);
    const text = await readAll(response);
    if (isOk(response)) return JSON.parse(text) as T;
    throw errorOf(response, text);
  };

  return {
    instance: door.instance,
    name: door.name,
    get: (path) => call("GET", path),
    post: (path, body) => call("POST", path, body),

    async stream(path, body, onData) {
      const response = await open("POST", path, body);
      if (!isOk(response)) throw errorOf(response, await readAll(response));
      let rest = "";
      response.setEncoding("utf8");
      for await (const chunk of response as AsyncIterable<string>) {
        const lines = (rest + chunk).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) {
          if (line.startsWith("data: ")) onData(JSON.parse(line.slice("data: ".length)));
        }
      }
    },
  };
}

function isOk(response: IncomingMessage): boolean {
  return (response.statusCode ?? 500) < 300;
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

function errorOf(response: IncomingMessage, text: string): ToolError {
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; hint: string } };
    return new ToolError(error.message, { code: error.code, hint: error.hint });
  } catch {
    return new ToolError(`the gateway answered ${response.statusCode}`, {
      code: "bad_answer",
      hint: "the gateway's log says why",
    });
  }
}
