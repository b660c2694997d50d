/** The API's paths, answers and refusals as the gateway gives them. */
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import { consoleRoutes } from "../../agent/console/serve.ts";
import type { LiveEvent } from "../../agent/protocol.ts";
import { sampleCost } from "./console-cost.ts";
import type { ConsoleFake } from "./console-fake.ts";
import { sampleRevision } from "./console-samples.ts";

export function fakeRoutes(fake: ConsoleFake): Hono {
  const app = new Hono();
  app.route("/", consoleRoutes());
  app.post("/api/*", async (context, next) => {
    fake.posts.push({ path: context.req.path, body: await context.req.json() });
    await next();
  });
  app.post("/api/login", async (context) => {
    if ((await context.req.json()).token !== fake.token)
      return context.json(refusal("unknown_token", "That token is nobody's."), 401);
    context.header("Set-Cookie", "session=ada; HttpOnly; SameSite=Strict; Path=/");
    return context.json({});
  });
  app.use("/api/*", async (context, next) => {
    if (!context.req.header("cookie")?.includes("session=ada"))
      return context.json(refusal("login_needed", "Log in first."), 401);
    return next();
  });
  if (fake.furtherRoutes) app.route("/", fake.furtherRoutes);
  app.post("/api/logout", (context) => {
    context.header("Set-Cookie", "session=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    return context.json({});
  });
  app.get("/api/session", (context) =>
    context.json({
      maintainer: { id: "m-ada", name: "Ada" },
      instance: { name: "CLAWDINATOR-1", instance: "i-01hzy3k8", revision: sampleRevision, version: "0.1.0" },
      paused: fake.paused,
    }),
  );
  for (const [path, paused] of [
    ["/api/pause", true],
    ["/api/resume", false],
  ] as const) {
    app.post(path, (context) => {
      fake.paused = paused;
      fake.broadcast({ type: "paused", paused });
      return context.json({ paused });
    });
  }
  app.get("/api/approvals", (context) => context.json({ approvals: [...fake.approvals.values()] }));
  app.get("/api/approvals/:id", (context) => context.json(fake.approvals.get(context.req.param("id")) ?? null));
  app.post("/api/approvals/:id", async (context) => {
    const result = fake.decide(context.req.param("id"), await context.req.json());
    if (typeof result === "string") return context.json(refusal("not_pending", result), 409);
    return context.json({
      approval: result,
      message: result.state === "rejected" ? "Rejected." : "Approved. It runs now.",
    });
  });
  app.get("/api/operations", (context) => context.json({ operations: [...fake.operations.values()] }));
  app.get("/api/operations/:id", (context) => {
    const operation = fake.operations.get(context.req.param("id"));
    return operation ? context.json(operation) : context.json(refusal("not_found", "There is no such operation."), 404);
  });
  app.post("/api/operations/:id", (context) => context.json({}));
  app.get("/api/fleet", (context) => context.json({ ...fake.fleet, at: Date.now() }));
  app.get("/api/drift", (context) => context.json(fake.drift));
  app.get("/api/schedule", (context) => context.json(fake.schedule()));
  app.post("/api/schedule/:id", (context) =>
    context.json(fake.schedule().jobs.find(({ id }) => id === context.req.param("id")) ?? null),
  );
  app.get("/api/cost", (context) => context.json(fake.cost(Number(context.req.query("days")))));
  app.post("/api/cost/reset", (context) => {
    fake.cost = (days) => sampleCost(days);
    return context.json({ closed: [] });
  });
  app.get("/api/audit", (context) => context.json({ entries: fake.audit }));
  app.get("/api/conversations", (context) =>
    context.json({ conversations: fake.conversations(context.req.query("q")), next: null }),
  );
  app.get("/api/conversations/:id", (context) => context.json(fake.history(context.req.param("id"))));
  app.post("/api/chat", async (context) => {
    const run = fake.receive(await context.req.json());
    return streamSSE(context, (stream) =>
      fake.follow(run, {
        send: (event) => stream.writeSSE({ data: JSON.stringify(event) }),
        isAborted: () => stream.aborted,
      }),
    );
  });
  app.get("/api/events", (context) =>
    streamSSE(context, async (stream) => {
      const aborted = new Promise<void>((resolve) => stream.onAbort(resolve));
      const tell = (event: LiveEvent) => void stream.writeSSE({ event: event.type, data: JSON.stringify(event) });
      const watching = fake.watch(tell, aborted);
      await stream.writeSSE({ event: "hello", data: "", retry: 50 });
      await watching;
    }),
  );
  return app;
}

function refusal(code: string, message: string): { error: { code: string; message: string; hint: string } } {
  return { error: { code, message, hint: "Look at its newest state and decide again." } };
}
