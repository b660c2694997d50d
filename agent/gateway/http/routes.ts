/** The API, the same on the console's port and on the control socket; each route is described where it is defined. */
import { type Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { streamSSE } from "hono/streaming";
import { z } from "zod";
import { ToolError } from "../../../tools/errors.ts";
import type { Json } from "../../../tools/json.ts";
import { listConversations, readConversation } from "../../conversations.ts";
import { fleetPaths } from "../../paths.ts";
import { conversationIdSchema, decisionSchema } from "../../protocol.ts";
import { authorOf, surfaceOf } from "../maintainers.ts";
import { requireMaintainer, sessionCookie } from "./auth.ts";
import { postChat } from "./chat.ts";
import type { Api, Environment } from "./context.ts";
import { memoryRoutes } from "./memory-routes.ts";
import { renderMetrics } from "./metrics.ts";
import { HttpProblem, readJson } from "./problem.ts";

export interface RouteDescription {
  method: "GET" | "POST";
  path: string;
  /** Needs no maintainer's token. */
  isOpen: boolean;
  meaning: string;
}

/** For the documentation; filled as the routes are defined. */
export type DescribeRoute = (route: RouteDescription) => void;

/** Older ones are found by their id. */
const conversationsListed = 50;

const loginSchema = z.strictObject({ token: z.string().min(1).max(500) });
const operationActionSchema = z.strictObject({ action: z.enum(["cancel", "resume"]) });
const proposeSchema = z.strictObject({
  operation: z.string().min(1).max(100),
  input: z.record(z.string(), z.unknown()).default({}),
});
/** Names stand in commit messages and on terminals. */
const addMaintainerSchema = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(100)
    .regex(/^\P{C}+$/u, "a name is one line of visible characters"),
});
const auditQuerySchema = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  subject: z.string().max(200).optional(),
});

type Handler = (context: Context<Environment>) => Promise<Response> | Response;

export function apiRoutes(api: Api, describe: DescribeRoute = () => {}): Hono<Environment> {
  const app = new Hono<Environment>();
  const author = requireMaintainer(api);
  const open = (method: "GET" | "POST", path: string, meaning: string, handler: Handler): void => {
    describe({ method, path, isOpen: true, meaning });
    app.on(method, path, handler);
  };
  const guarded = (method: "GET" | "POST", path: string, meaning: string, handler: Handler): void => {
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
      });
    },
  );
  guarded("GET", "/api/events", "server-sent events of everything that changes", (context) =>
    streamEvents(context, api),
  );

  guarded("POST", "/api/chat", "`{ conversation, text, message?, to? }`; the answer as server-sent events", (context) =>
    postChat(context, api),
  );
  guarded("GET", "/api/conversations", "conversations, newest first", async (context) =>
    context.json({ conversations: await summarizeConversations(fleetPaths(api.home).conversations) }),
  );
  guarded(
    "GET",
    "/api/conversations/:id",
    "one conversation and the messages being answered in it",
    async (context) => {
      const conversation = conversationIdSchema.parse(context.req.param("id"));
      const entries = await readConversation({ directory: fleetPaths(api.home).conversations, conversation });
      const waiting = (await api.inbox.pending(api.identity.name)).filter(
        (one) => one.conversation === conversation && one.kind === "chat",
      );
      const running = [...new Set([...api.runs.running(conversation), ...waiting.map((one) => one.id)])];
      return context.json({ conversation, entries, running });
    },
  );

  guarded(
    "GET",
    "/api/fleet",
    "every instance with state, revision, image, epoch, boot phases and checks",
    async (context) => context.json(await api.fleet.status()),
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
        "GET /api/operations lists them",
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
        "GET /api/approvals lists them",
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
  guarded("POST", "/api/pause", "no operation starts and none is proposed until resumed", (context) =>
    setPause(context, api, true),
  );
  guarded("POST", "/api/resume", "ends the pause", (context) => setPause(context, api, false));

  memoryRoutes(api, guarded);
  if (api.surface === "control") controlRoutes(api, guarded);
  return app;
}

export type Guarded = (method: "GET" | "POST", path: string, meaning: string, handler: Handler) => void;

/** What only this machine's user may do: people, tokens, and ending the process. */
function controlRoutes(api: Api, guarded: Guarded): void {
  const { maintainers, audit } = api;
  const write = (context: Context<Environment>, action: string, id: string, detail: string): Promise<unknown> =>
    audit.write({
      action,
      actor: `maintainer:${context.get("actor").maintainer.id}`,
      surface: surfaceOf(context.get("actor")),
      subject: `maintainer/${id}`,
      detail,
    });
  const requireApprover = async (context: Context<Environment>): Promise<void> => {
    const { policy } = await api.policy();
    const { maintainer } = context.get("actor");
    if (policy.approvers.includes(maintainer.id)) return;
    throw new HttpProblem(
      403,
      "not_an_approver",
      `${maintainer.name} is not an approver`,
      "an approver named in policy.json does this",
    );
  };

  guarded("GET", "/control/maintainers", "maintainers and whether they are approvers", async (context) => {
    const { policy } = await api.policy();
    const list = await maintainers.list();
    return context.json({ maintainers: list.map((one) => ({ ...one, approver: policy.approvers.includes(one.id) })) });
  });
  guarded("POST", "/control/maintainers", "`{ name }` adds a maintainer; the token is shown once", async (context) => {
    const { name } = addMaintainerSchema.parse(await readJson(context));
    await requireApprover(context);
    const added = await maintainers.add(name);
    await write(context, "maintainer.added", added.maintainer.id, name);
    return context.json({ ...added, url: consoleUrl(api) });
  });
  guarded(
    "POST",
    "/control/maintainers/:id/remove",
    "removes a maintainer; their token stops working",
    async (context) => {
      await requireApprover(context);
      const id = context.req.param("id") ?? "";
      const { policy } = await api.policy();
      if (policy.approvers.includes(id)) {
        throw new HttpProblem(
          409,
          "is_approver",
          `maintainer ${id} is an approver`,
          "propose a policy_change without them first",
        );
      }
      const removed = await maintainers.remove(id);
      await write(context, "maintainer.removed", id, removed.name);
      return context.json({ maintainer: removed });
    },
  );
  guarded("GET", "/control/policy", "the policy in force", async (context) => {
    const { policy, commit, digest } = await api.policy();
    return context.json({ policy, commit, digest });
  });
  guarded("GET", "/control/checks", "every check of this instance", (context) =>
    context.json({ checks: api.presence.heartbeat().checks }),
  );
  guarded("GET", "/control/login", "the console's address, for a login link", (context) =>
    context.json({ url: consoleUrl(api) }),
  );
  guarded("POST", "/control/stop", "ends this instance's processes", (context) => {
    api.stop?.(`stopped by ${context.get("actor").maintainer.name}`);
    return context.json({});
  });
}

/** The newest conversations with what was said first in each as its title. */
async function summarizeConversations(directory: string): Promise<{ id: string; title: string; updatedAt: number }[]> {
  const newest = (await listConversations(directory)).slice(0, conversationsListed);
  return Promise.all(
    newest.map(async ({ conversation, at }) => {
      const entries = await readConversation({ directory, conversation }).catch(() => []);
      const first = entries.find((entry) => entry.body.role === "user");
      const title = first?.body.role === "user" ? first.body.text.slice(0, 80) : conversation;
      return { id: conversation, title, updatedAt: at };
    }),
  );
}

function consoleUrl(api: Api): string | null {
  const { port } = api.presence.heartbeat();
  const { host } = api.config.gateway;
  return port === null ? null : `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

async function setPause(context: Context<Environment>, api: Api, paused: boolean): Promise<Response> {
  const actor = context.get("actor");
  const { maintainer } = actor;
  await api.pause.set(paused, maintainer.id);
  await api.audit.write({
    action: paused ? "fleet.paused" : "fleet.resumed",
    actor: `maintainer:${maintainer.id}`,
    surface: surfaceOf(actor),
    subject: "fleet",
    detail: "",
  });
  api.scheduler.wake();
  return context.json({ paused });
}

function streamEvents(context: Context<Environment>, api: Api): Response {
  return streamSSE(context, async (stream) => {
    let tail: Promise<unknown> = Promise.resolve();
    const stop = api.live.subscribe((event) => {
      tail = tail.then(() => stream.writeSSE({ event: event.type, data: JSON.stringify(event) })).catch(() => {});
    });
    const keepAlive = setInterval(() => void stream.write(": still here\n\n"), 15_000);
    await stream.write("retry: 500\n: watching\n\n");
    api.scheduler.wake();
    await new Promise<void>((resolve) => stream.onAbort(resolve));
    clearInterval(keepAlive);
    stop();
  });
}
