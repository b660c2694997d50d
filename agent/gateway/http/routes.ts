/** The API, the same on the console's port and on the control socket; each route is described where it is defined. */
import { type Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import { ToolError } from "../../../tools/errors.ts";
import type { Json } from "../../../tools/json.ts";
import { decisionSchema, pauseRequestSchema } from "../../protocol.ts";
import { authorOf, surfaceOf } from "../maintainers.ts";
import { requireMaintainer, sessionCookie } from "./auth.ts";
import { postChat } from "./chat.ts";
import type { Api, Environment } from "./context.ts";
import { controlRoutes } from "./control-routes.ts";
import { conversationRoutes } from "./conversation-routes.ts";
import { costRoutes } from "./cost-routes.ts";
import { streamEvents } from "./events.ts";
import { memoryRoutes } from "./memory-routes.ts";
import { renderMetrics } from "./metrics.ts";
import { HttpProblem, readJson } from "./problem.ts";
import type { DescribeRoute, Handler, Method } from "./route.ts";
import { scheduleRoutes } from "./schedule-routes.ts";

const loginSchema = z.strictObject({ token: z.string().min(1).max(500) });
const operationActionSchema = z.strictObject({ action: z.enum(["cancel", "resume"]) });
const proposeSchema = z.strictObject({
  operation: z.string().min(1).max(100),
  input: z.record(z.string(), z.unknown()).default({}),
});
const auditQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  subject: z.string().max(200).optional(),
});

export function apiRoutes(api: Api, describe: DescribeRoute = () => {}): Hono<Environment> {
  const app = new Hono<Environment>();
  const author = requireMaintainer(api);
  const open = (method: Method, path: string, meaning: string, handler: Handler): void => {
    describe({ method, path, isOpen: true, meaning });
    app.on(method, path, handler);
  };
  const guarded = (method: Method, path: string, meaning: string, handler: Handler): void => {
    describe({ method, path, isOpen: false, meaning });
    app.on(method, path, author, handler);
  };

  open("GET", "/healthz", "200 while the process lives", (context) => context.text("alive\n"));
  open("GET", "/readyz", "every check of this instance; 200 when it is ready, else 503", (context) => {
    const { state, checks } = api.presence.heartbeat();
    const ready = state === "ready" && checks.every((check) => check.ok);
    return context.json({ ready, state, checks }, ready ? 200 : 503);
  });
  open("GET", "/metrics", "metrics in Prometheus' text format", async (context) =>
    context.text(await renderMetrics(api)),
  );
  open("GET", "/api/version", "name, instance, epoch, version, revision and image", (context) => {
    const { instance, name, epoch, version, revision, image, dirty } = api.presence.heartbeat();
    return context.json({
      name,
      instance,
      epoch,
      version,
      revision,
      image,
      dirty,
      holdsName: api.presence.epoch() !== null,
    });
  });
  open("POST", "/api/login", "`{ token }` gives a session cookie", async (context) => {
    const { token } = loginSchema.parse(await readJson(context));
    const maintainer = await api.maintainers.authenticate(token);
    if (!maintainer)
      throw new HttpProblem(
        401,
        "wrong_token",
        "this token is not (or no longer) valid",
        "`clawdinator maintainers login` prints a new login link",
      );
    setCookie(context, sessionCookie, await api.maintainers.createSession(maintainer), {
      httpOnly: true,
      sameSite: "Strict",
      path: "/",
      maxAge: 30 * 24 * 3600,
    });
    return context.json({ maintainer: { id: maintainer.id, name: maintainer.name } });
  });

  guarded("POST", "/api/logout", "ends the session", async (context) => {
    const session = getCookie(context, sessionCookie);
    if (session) await api.maintainers.endSession(session);
    deleteCookie(context, sessionCookie, { path: "/" });
    return context.json({});
  });
  guarded(
    "GET",
    "/api/session",
    "who is logged in, on which instance, and whether the fleet is paused",
    async (context) => {
      const { maintainer } = context.get("actor");
      const { instance, name, revision, version } = api.presence.heartbeat();
      return context.json({
        maintainer: { id: maintainer.id, name: maintainer.name },
        instance: { name, instance, revision, version },
        paused: await api.pause.isPaused(),
        pausedBy: await api.pause.peek(),
      });
    },
  );
  guarded("GET", "/api/events", "server-sent events of everything that changes", (context) =>
    streamEvents(context, api),
  );

  guarded("POST", "/api/chat", "`{ conversation, text, message?, to? }`; the answer as server-sent events", (context) =>
    postChat(context, api),
  );

  guarded(
    "GET",
    "/api/fleet",
    "every instance with state, revision, image, epoch, boot phases and checks",
    async (context) => context.json(await api.status()),
  );
  guarded("GET", "/api/drift", "difference between desired and actual state", async (context) =>
    context.json(await api.fleet.drift()),
  );
  guarded("GET", "/api/images", "built images, newest first", async (context) => {
    const images = await api.fleet.provider.listImages();
    return context.json({ images: images.sort((a, b) => b.builtAt - a.builtAt) });
  });

  guarded("GET", "/api/operations", "operations, newest first", async (context) =>
    context.json({ operations: await api.operations.list() }),
  );
  guarded("POST", "/api/operations", "`{ operation, input }` proposes an operation", async (context) => {
    const { operation, input } = proposeSchema.parse(await readJson(context));
    if (await api.pause.isPaused())
      throw new ToolError("the fleet is paused, so nothing is proposed", {
        code: "paused",
        hint: "`clawdinator resume` ends the pause",
      });
    const proposer = {
      ...authorOf(context.get("actor")),
      message: null,
      conversation: null,
      influencedByPublicText: false,
    };
    const approval = await api.approvals.propose({
      operation,
      input: input as Json,
      proposer,
      key: `direct/${crypto.randomUUID()}`,
    });
    api.scheduler.wake();
    return context.json({ approval });
  });
  guarded("GET", "/api/operations/:id", "one operation with its steps and their results", async (context) => {
    const operation = await api.operations.get(context.req.param("id") ?? "");
    if (!operation)
      throw new HttpProblem(
        404,
        "unknown_operation",
        `there is no operation ${context.req.param("id")}`,
        "`clawdinator operations list` shows them",
      );
    return context.json({ ...operation, results: await api.operations.results(operation.id) });
  });
  guarded("POST", "/api/operations/:id", '`{ action: "cancel" | "resume" }`', async (context) => {
    const { action } = operationActionSchema.parse(await readJson(context));
    const id = context.req.param("id") ?? "";
    const by = `maintainer:${context.get("actor").maintainer.id}`;
    const operation = action === "cancel" ? await api.operations.cancel(id, by) : await api.operations.retry(id, by);
    api.scheduler.wake();
    return context.json(operation);
  });

  guarded("GET", "/api/approvals", "approvals with their plans, newest first", async (context) =>
    context.json({ approvals: await api.approvals.list() }),
  );
  guarded("GET", "/api/approvals/:id", "one approval with its plan and votes", async (context) => {
    const approval = await api.approvals.get(context.req.param("id") ?? "");
    if (!approval)
      throw new HttpProblem(
        404,
        "unknown_approval",
        `there is no approval ${context.req.param("id")}`,
        "`clawdinator approvals list --all` shows them",
      );
    return context.json(approval);
  });
  guarded(
    "POST",
    "/api/approvals/:id",
    "`{ decision, digest, reason? }` with the digest that the person saw",
    async (context) => {
      const decision = decisionSchema.parse(await readJson(context));
      const result = await api.approvals.decide({
        id: context.req.param("id") ?? "",
        actor: context.get("actor"),
        decision,
      });
      api.scheduler.wake();
      if (result.outcome !== "refused") return context.json({ approval: result.approval, message: result.message });
      const status = result.code === "unknown_approval" ? 404 : result.code === "not_an_approver" ? 403 : 409;
      return context.json(
        { error: { code: result.code, message: result.message, hint: result.hint }, approval: result.approval },
        status,
      );
    },
  );

  guarded("GET", "/api/audit", "the audit log, newest first; `?limit=` and `?subject=`", async (context) => {
    const query = auditQuerySchema.parse(context.req.query());
    return context.json({
      entries: await api.audit.list({ limit: query.limit, ...(query.subject ? { subject: query.subject } : {}) }),
    });
  });
  guarded(
    "POST",
    "/api/pause",
    "`{ reason? }`; no answer, job or operation begins and none is proposed until resumed",
    (context) => setPause(context, api, true),
  );
  guarded("POST", "/api/resume", "ends the pause", (context) => setPause(context, api, false));

  costRoutes(api, guarded);
  conversationRoutes(api, guarded);
  memoryRoutes(api, guarded);
  scheduleRoutes(api, guarded);
  if (api.surface === "control") controlRoutes(api, guarded);
  return app;
}

/** A request that needs no body may come without one. */
async function readOptionalJson(context: Context): Promise<unknown> {
  return (await context.req.text()).trim() === "" ? {} : readJson(context);
}

async function setPause(context: Context<Environment>, api: Api, paused: boolean): Promise<Response> {
  const actor = context.get("actor");
  const { maintainer } = actor;
  const { reason } = pauseRequestSchema.parse(await readOptionalJson(context));
  await api.pause.set(paused, { id: maintainer.id, name: maintainer.name, reason });
  await api.audit.write({
    action: paused ? "fleet.paused" : "fleet.resumed",
    actor: `maintainer:${maintainer.id}`,
    surface: surfaceOf(actor),
    subject: "fleet",
    detail: reason ?? "",
  });
  api.scheduler.wake();
  return context.json({ paused, pausedBy: await api.pause.current() });
}
