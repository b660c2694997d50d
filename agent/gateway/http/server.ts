/** The console's port and the control socket: one set of routes, two doors. */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigError } from "../../../tools/errors.ts";
import { listenOnSocket } from "../mind-server.ts";
import type { Api } from "./context.ts";

// Importing node:http by name loads all of it, a WebSocket client included: 40 ms of every start.
const http = process.getBuiltinModule("node:http");

type ServerApi = Omit<Api, "surface">;

export async function startControl(options: ServerApi & { socket: string }): Promise<{ close(): Promise<void> }> {
  const server = createLazyServer({ ...options, surface: "control" });
  await listenOnSocket(server, options.socket);
  return { close: () => closeServer(server) };
}

/** Listens on the console's port. A port that is taken is an error when it was asked for, else another one is found. */
export async function startConsole(
  options: ServerApi & { port: number; mustHavePort: boolean },
): Promise<{ port: number; close(): Promise<void> }> {
  const { host } = options.config.gateway;
  const server = createLazyServer({ ...options, surface: "tcp" });
  try {
    await listen(server, options.port, host);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw portError(options.port, host, cause);
    if (options.mustHavePort) throw portError(options.port, host, cause);
    await listen(server, 0, host);
  }
  const { port } = server.address() as AddressInfo;
  return { port, close: () => closeServer(server) };
}

/** A server whose routes are loaded when the first request comes. */
function createLazyServer(api: Api): Server {
  let listener: Promise<(request: IncomingMessage, response: ServerResponse) => unknown> | null = null;
  return http.createServer((request, response) => {
    listener ??= import("./app.ts").then(({ createListener }) => createListener(api));
    listener
      .then((listen) => listen(request, response))
      .catch((error: unknown) => {
        response.destroy(error instanceof Error ? error : undefined);
      });
  });
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function portError(port: number, host: string, cause: unknown): ConfigError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const why = code === "EADDRINUSE" ? "another program uses it" : message;
  return new ConfigError(`cannot listen on ${host}:${port}: ${why}`, {
    code: code === "EADDRINUSE" ? "port_in_use" : "cannot_listen",
    hint: "stop that program, or choose another port: `npm start -- --port 0` takes a free one",
    cause,
  });
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}
