/** The console's port and the control socket: one set of routes, two doors. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { ConfigError } from "../../../tools/errors.ts";
import { consoleRoutes } from "../../console/serve.ts";
import { createLog } from "../../log.ts";
import { listenOnSocket } from "../mind-server.ts";
import { checkHostAndOrigin } from "./auth.ts";
import { abandonReaders } from "./chat.ts";
import type { Api, Environment } from "./context.ts";
import { answerProblem, HttpProblem } from "./problem.ts";
import { apiRoutes } from "./routes.ts";

/** Far above a chat message of the longest allowed length. */
const maxBodyBytes = 512 * 1024;

type ServerApi = Omit<Api, "surface">;

export async function startControl(options: ServerApi & { socket: string }): Promise<{ close(): Promise<void> }> {
  const server = createServer(getRequestListener(createApp({ ...options, surface: "control" }).fetch));
  await listenOnSocket(server, options.socket);
  return { close: () => closeServer(server) };
}

/** Listens on the console's port. A port that is taken is an error when it was asked for, else another one is found. */
export async function startConsole(
  options: ServerApi & { port: number; mustHavePort: boolean },
): Promise<{ port: number; close(): Promise<void>; abandon(message: string): void }> {
  const { host } = options.config.gateway;
  const server = createServer(getRequestListener(createApp({ ...options, surface: "tcp" }).fetch));
  try {
    await listen(server, options.port, host);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw portError(options.port, host, cause);
    if (options.mustHavePort) throw portError(options.port, host, cause);
    await listen(server, 0, host);
  }
  const { port } = server.address() as AddressInfo;
  return { port, close: () => closeServer(server), abandon: abandonReaders };
}

function createApp(api: Api): Hono<Environment> {
  const log = createLog({ least: api.config.log.level, base: { instance: api.identity.instance, name: api.identity.name } });
  const app = new Hono<Environment>();
  app.onError((error, context) => answerProblem(error, context, (fault) => log("error", "a request failed", { path: context.req.path, error: fault.message })));
  if (api.surface === "tcp") app.use(checkHostAndOrigin(api.config.gateway.allowedHosts));
  app.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: () => {
        throw new HttpProblem(413, "too_large", `a request may hold ${maxBodyBytes} bytes`, "send less");
      },
    }),
  );
  app.route("/", apiRoutes(api));
  if (api.surface === "tcp") app.route("/", consoleRoutes());
  app.notFound((context) => context.json({ error: { code: "unknown_route", message: `there is no ${context.req.method} ${context.req.path}`, hint: "docs/http.md lists the routes" } }, 404));
  return app;
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
