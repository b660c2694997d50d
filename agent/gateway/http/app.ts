/** The routes as one listener. Loaded by the first request: a start does not need it. */
import { getRequestListener } from "@hono/node-server";
import { Hono, type MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { consoleRoutes } from "../../console/serve.ts";
import { checkHostAndOrigin } from "./auth.ts";
import type { Api, Environment } from "./context.ts";
import { answerProblem, HttpProblem } from "./problem.ts";
import { apiRoutes } from "./routes.ts";

/** Far above a chat message of the longest allowed length. */
const maxBodyBytes = 512 * 1024;
/** A document of the largest size, in any JSON that a program may write. */
const maxMemoryBodyBytes = 6 * 1024 * 1024;

export function createListener(api: Api): ReturnType<typeof getRequestListener> {
  const app = new Hono<Environment>();
  app.onError((error, context) =>
    answerProblem(error, context, (fault) =>
      api.log("error", "a request failed", { path: context.req.path, error: fault.message }),
    ),
  );
  if (api.surface === "tcp") app.use(checkHostAndOrigin(api.config.gateway.allowedHosts));
  const [limit, memoryLimit] = [limitBody(maxBodyBytes), limitBody(maxMemoryBodyBytes)];
  app.use((context, next) => (context.req.path.startsWith("/api/memory") ? memoryLimit : limit)(context, next));
  app.route("/", apiRoutes(api));
  if (api.surface === "tcp") app.route("/", consoleRoutes());
  app.notFound((context) => {
    const message = `there is no ${context.req.method} ${context.req.path}`;
    return context.json({ error: { code: "unknown_route", message, hint: "docs/http.md lists the routes" } }, 404);
  });
  return getRequestListener(app.fetch);
}

function limitBody(maxSize: number): MiddlewareHandler {
  return bodyLimit({
    maxSize,
    onError: () => {
      throw new HttpProblem(413, "too_large", `a request may hold ${maxSize} bytes`, "send less");
    },
  });
}
