/** The console's port of a real fleet: who gets in, and what is refused how. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import type { Api } from "../../../agent/gateway/http/context.ts";
import type { Method } from "../../../agent/gateway/http/route.ts";
import { apiRoutes } from "../../../agent/gateway/http/routes.ts";
import type { ApprovalView } from "../../../agent/protocol.ts";
import { shareFleet } from "../../support/fleet.ts";
import { waitFor } from "../../support/wait.ts";

const fleet = shareFleet();

interface Problem {
  error: { code: string; message: string; hint: string };
}

async function problem(response: Response): Promise<Problem["error"] & { status: number }> {
  const { error } = (await response.json()) as Problem;
  expect(error).toEqual({
    code: expect.stringMatching(/^[a-z_]+$/),
    message: expect.stringMatching(/./),
    hint: expect.stringMatching(/./),
  });
  return { status: response.status, ...error };
}

/** `fetch` sets Host and hides cookies; this says exactly what it is told to. */
function raw(
  path: string,
  options: { method?: string; headers: Record<string, string>; body?: string },
): Promise<{ status: number; headers: Record<string, string | string[] | undefined>; text: string }> {
  const { hostname, port } = new URL(fleet().url());
  return new Promise((resolve, reject) => {
    const sent = request(
      { hostname, port, path, method: options.method ?? "GET", headers: options.headers, agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
      },
    );
    sent.on("error", reject);
    sent.end(options.body);
  });
}

const routes: { method: Method; path: string }[] = [];
apiRoutes({ surface: "tcp" } as Api, (route) => routes.push(route));
const publicRoutes = ["GET /healthz", "GET /readyz", "GET /metrics", "GET /api/version", "POST /api/login"];

async function login(token = fleet().token()): Promise<string> {
  const response = await fleet().fetch("/api/login", { method: "POST", body: { token }, token: null });
  expect(response.status).toBe(200);
  return response.headers.get("set-cookie") ?? "";
}

test("every route but the public ones wants a token, and a wrong one opens none", async () => {
  expect(routes.length).toBeGreaterThan(20);
  for (const { method, path } of routes) {
    const isPublic = publicRoutes.includes(`${method} ${path}`);
    for (const token of [null, "x", `clawd_1_${"A".repeat(43)}`, `clawd_2_${fleet().token().split("_")[2]}`]) {
      const address = path.replace(":id", "ap-000000000000").replace(/:path\{.*\}/, "ops.md");
      const response = await fleet().fetch(address, {
        method,
        token,
        ...(method === "POST" || method === "PUT" ? { body: {} } : {}),
      });
      if (isPublic) expect({ path, refused: response.status === 401 }).toEqual({ path, refused: false });
      else expect({ path, ...(await problem(response)) }).toMatchObject({ path, status: 401, code: "not_logged_in" });
      await response.body?.cancel().catch(() => {});
    }
  }
  expect(
    await problem(await fleet().fetch("/api/login", { method: "POST", body: { token: "x" }, token: null })),
  ).toMatchObject({ status: 401, code: "wrong_token" });
});

test("what only this machine's user may do is not on the console's port", async () => {
  for (const path of [
    "/control/maintainers",
    "/control/policy",
    "/control/login",
    "/control/stop",
    "/control/checks",
  ]) {
    for (const method of ["GET", "POST"]) {
      const response = await fleet().fetch(path, { method, ...(method === "POST" ? { body: {} } : {}) });
      expect({ path, status: response.status }).toEqual({ path, status: 404 });
    }
  }
  const as = await fleet().fetch("/api/session", { headers: { "x-clawdinator-as": "1" } });
  expect(await problem(as)).toMatchObject({ status: 403, code: "as_is_local" });
});

test("a request for another host is refused", async () => {
  const { port } = new URL(fleet().url());
  for (const host of [
    "evil.example",
    `evil.example:${port}`,
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "0.0.0.0",
  ]) {
    const { status, text } = await raw("/healthz", { headers: { host } });
    expect({ host, status }).toEqual({ host, status: 421 });
    expect(text).toContain("wrong_host");
  }
  const { hostname } = new URL(fleet().url());
  for (const head of [
    "GET /healthz HTTP/1.1\r\nHost:\r\n",
    "GET /healthz HTTP/1.1\r\n",
    "GET /healthz HTTP/1.0\r\n",
    "GET http://evil.example/healthz HTTP/1.1\r\nHost: evil.example\r\n",
  ]) {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => socket.end(`${head}Connection: close\r\n\r\n`));
      let text = "";
      socket.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      socket.on("close", () => resolve(text)).on("error", reject);
    });
    expect(answer, head).toMatch(/^HTTP\/1\.1 4/);
    expect(answer, head).not.toContain("alive");
  }
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, "LOCALHOST", `[::1]:${port}`]) {
    expect({ host, status: (await raw("/healthz", { headers: { host } })).status }).toEqual({ host, status: 200 });
  }
});

test("a request that a page of another origin caused is refused", async () => {
  const { host } = new URL(fleet().url());
  const authorization = `Bearer ${fleet().token()}`;
  for (const origin of [
    "http://evil.example",
    "null",
    `http://${host}.evil.example`,
    "http://localhost:1",
    `ftp://${host}`,
    "",
  ]) {
    const { status, text } = await raw("/api/pause", {
      method: "POST",
      headers: { host, authorization, origin, "content-type": "application/json" },
      body: "{}",
    });
    expect({ origin, status }).toEqual({ origin, status: 403 });
    expect(text).toContain("wrong_origin");
  }
  const crossSite = await raw("/api/pause", {
    method: "POST",
    headers: { host, authorization, "sec-fetch-site": "cross-site" },
    body: "{}",
  });
  expect(crossSite.status).toBe(403);
  expect((await raw("/api/session", { headers: { host, authorization, origin: `http://${host}` } })).status).toBe(200);
  expect(await (await fleet().fetch("/api/session")).json()).toMatchObject({ paused: false });
});

test("unknown fields are refused by name, and bodies that do not fit by place", async () => {
  const { id, digest } = await fleet().propose("spawn a sibling");
  const cases: [string, unknown, string][] = [
    [`/api/approvals/${id}`, { decision: "approve", digest, maintainer: "2" }, "maintainer"],
    [`/api/approvals/${id}`, { decision: "approve" }, "digest"],
    [`/api/approvals/${id}`, { decision: "approve", digest: digest.slice(0, 12) }, "digest"],
    [`/api/approvals/${id}`, { decision: "maybe", digest }, "decision"],
    ["/api/chat", { conversation: "c", text: "x", author: { id: "2" } }, "author"],
    ["/api/chat", { conversation: "../c", text: "x" }, "conversation"],
    ["/api/chat", { conversation: "c", text: "" }, "text"],
    ["/api/chat", { conversation: "c", text: "x".repeat(32_001) }, "text"],
    ["/api/operations", { operation: "image_build", input: {}, proposer: { id: "2" } }, "proposer"],
    ["/api/operations", {}, "operation"],
    ["/api/operations/op-000000000000", { action: "approve" }, "action"],
    ["/api/login", { token: "x", name: "y" }, "name"],
  ];
  for (const [path, body, field] of cases) {
    const answer = await problem(await fleet().fetch(path, { method: "POST", body }));
    expect({ path, status: answer.status, code: answer.code }).toEqual({ path, status: 400, code: "invalid_request" });
    expect(answer.message).toContain(field);
  }
  expect(await problem(await fleet().fetch("/api/audit?limt=3"))).toMatchObject({
    status: 400,
    message: expect.stringContaining("limt"),
  });
  const after = (await (await fleet().fetch(`/api/approvals/${id}`)).json()) as ApprovalView;
  expect(after).toMatchObject({ state: "pending", votes: [] });
});

test("a body that is not JSON is the caller's fault", async () => {
  const { host } = new URL(fleet().url());
  const headers = { host, authorization: `Bearer ${fleet().token()}`, "content-type": "application/json" };
  for (const body of ["{broken", "", "[1,"]) {
    for (const path of ["/api/chat", "/api/operations", "/api/login", "/api/approvals/ap-000000000000"]) {
      const { status, text } = await raw(path, { method: "POST", headers, body });
      expect({ path, body, status }).toEqual({ path, body, status: 400 });
      expect(text).toContain("invalid_json");
    }
  }
});

test("a body that is too large is refused before it is read", async () => {
  const body = { conversation: "c", text: "x".repeat(600 * 1024) };
  for (const token of [undefined, null]) {
    const response = await fleet().fetch("/api/chat", { method: "POST", body, ...(token === null ? { token } : {}) });
    expect(await problem(response)).toMatchObject({ status: 413, code: "too_large" });
  }
});

test("what does not exist is told as such", async () => {
  expect(await problem(await fleet().fetch("/api/nothing"))).toMatchObject({ status: 404, code: "unknown_route" });
  expect(await problem(await fleet().fetch("/api/approvals/ap-ffffffffffff"))).toMatchObject({
    status: 404,
    code: "unknown_approval",
  });
  expect(await problem(await fleet().fetch("/api/operations/op-ffffffffffff"))).toMatchObject({
    status: 404,
    code: "unknown_operation",
  });
  expect(await problem(await fleet().fetch("/api/memory/nothing.md"))).toMatchObject({
    status: 404,
    code: "unknown_document",
  });
  for (const path of [
    "..%2f..%2fcredentials.json",
    "..%2f..%2f..%2fconfig.json",
    "%2fetc%2fpasswd",
    ".hive%2fops.md",
  ]) {
    const { status, message } = await problem(await fleet().fetch(`/api/memory/${path}`));
    expect([400, 404, 422]).toContain(status);
    expect(message).not.toContain("clawd_");
  }
  const body = { decision: "approve", digest: "0".repeat(64) };
  expect(await problem(await fleet().fetch("/api/approvals/ap-ffffffffffff", { method: "POST", body }))).toMatchObject({
    status: 404,
    code: "unknown_approval",
  });
});

test("a login gives a cookie that scripts and other sites do not get, and it outlives a restart of the gateway", async () => {
  const cookie = await login();
  expect(cookie).toMatch(/^clawdinator_session=[A-Za-z0-9_-]{43};/);
  for (const part of [/; *HttpOnly/i, /; *SameSite=Strict/i, /; *Path=\//i]) expect(cookie).toMatch(part);
  const session = { cookie: cookie.split(";")[0] ?? "" };
  expect(await (await fleet().fetch("/api/session", { token: null, headers: session })).json()).toMatchObject({
    maintainer: { id: "1" },
  });
  await fleet().kill();
  await fleet().start();
  expect((await fleet().fetch("/api/session", { token: null, headers: session })).status).toBe(200);
  // A wrong token is not helped by a good cookie, and a cookie never speaks for somebody else.
  expect((await fleet().fetch("/api/session", { token: "x", headers: session })).status).toBe(401);
  expect(
    await (
      await fleet().fetch("/api/session", { token: null, headers: { ...session, "x-clawdinator-as": "2" } })
    ).json(),
  ).toMatchObject({ maintainer: { id: "1" } });

  const out = await fleet().fetch("/api/logout", { method: "POST", token: null, headers: session });
  expect(out.status).toBe(200);
  expect(out.headers.get("set-cookie")).toMatch(/clawdinator_session=;.*Max-Age=0/i);
  expect((await fleet().fetch("/api/session", { token: null, headers: session })).status).toBe(401);
});

test("a maintainer who was removed is out at once, by token and by session", async () => {
  const added = await fleet().json<{ maintainer: { id: string }; token: string }>("maintainers", "add", "Eve");
  const session = { cookie: (await login(added.token)).split(";")[0] ?? "" };
  expect((await fleet().fetch("/api/session", { token: null, headers: session })).status).toBe(200);
  await fleet().json("maintainers", "remove", added.maintainer.id);
  expect((await fleet().fetch("/api/session", { token: null, headers: session })).status).toBe(401);
  expect((await fleet().fetch("/api/session", { token: added.token })).status).toBe(401);
  const next = await fleet().json<{ maintainer: { id: string } }>("maintainers", "add", "Mallory");
  expect(Number(next.maintainer.id)).toBeGreaterThan(Number(added.maintainer.id));
  const first = await fleet().cli(["maintainers", "remove", "1", "--json"]);
  expect(first.lines[0]).toMatchObject({ error: { code: "is_approver" } });
  const odd = await fleet().cli(["maintainers", "add", "Eve\nApproved-by: nobody", "--json"]);
  expect(odd.lines[0]).toMatchObject({ error: { code: "invalid_request", message: expect.stringContaining("name") } });
});

test("metrics are in Prometheus' text format", async () => {
  const response = await fleet().fetch("/metrics", { token: null });
  expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  const text = await response.text();
  expect(text.endsWith("\n")).toBe(true);
  const declared = new Map<string, string>();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE ([a-z_]+) (gauge|counter)$/.exec(line);
    if (type?.[1]) declared.set(type[1], line);
    if (line.startsWith("#")) {
      expect(line).toMatch(/^# (HELP|TYPE) clawdinator_[a-z_]+ ./);
      continue;
    }
    const sample =
      /^(clawdinator_[a-z_]+)(\{[a-z_]+="(?:[^"\\\n]|\\.)*"(?:,[a-z_]+="(?:[^"\\\n]|\\.)*")*\})? (-?[0-9.e+-]+|NaN)$/.exec(
        line,
      );
    expect(sample, line).not.toBeNull();
    expect(declared.has(sample?.[1] ?? ""), line).toBe(true);
  }
  expect(text).toMatch(/^clawdinator_ready 1$/m);
  expect(text).toMatch(/^clawdinator_epoch 1$/m);
});

test("readiness names every check", async () => {
  const answer = await waitFor(async () => {
    const response = await fleet().fetch("/readyz", { token: null });
    return (
      response.status === 200 &&
      ((await response.json()) as { ready: boolean; state: string; checks: { name: string; ok: boolean }[] })
    );
  });
  expect(answer).toMatchObject({ ready: true, state: "ready" });
  expect(answer.checks.map(({ name }) => name)).toContain("mind");
  expect(await (await fleet().fetch("/healthz", { token: null })).text()).toBe("alive\n");
});

test("tokens are in no log, no record, no answer and no error", async () => {
  const { token } = await fleet().json<{ token: string }>("maintainers", "add", "Trent");
  const secrets = [token, fleet().token()];
  const session = (await login(token)).split(/[=;]/)[1] ?? "";
  secrets.push(session);
  await fleet().fetch("/api/login", { method: "POST", body: { token: `${token}x` }, token: null });
  const texts: [string, string][] = [];
  for (const path of [
    "/api/audit?limit=1000",
    "/api/session",
    "/api/approvals",
    "/api/fleet",
    "/metrics",
    "/api/version",
    "/readyz",
  ]) {
    texts.push([path, await (await fleet().fetch(path)).text()]);
  }
  for (const path of ["/api/nothing", `/api/approvals/${encodeURIComponent("ap-x")}`])
    texts.push([path, await (await fleet().fetch(path)).text()]);
  const store = new DatabaseSync(join(fleet().home, "fleet", "store.sqlite"), { readOnly: true });
  for (const row of store.prepare("SELECT key, value FROM entries").all())
    texts.push([`store ${row.key}`, `${row.key} ${row.value}`]);
  store.close();
  texts.push([
    "stderr",
    fleet()
      .output()
      .split("\n")
      .filter((line) => !line.includes('"login":'))
      .join("\n"),
  ]);
  for (const file of filesBelow(fleet().home)) texts.push([file, readFileSync(file, "latin1")]);
  const leaks = texts.filter(
    ([where, text]) => !where.endsWith("/credentials.json") && secrets.some((secret) => text.includes(secret)),
  );
  expect(leaks.map(([where]) => where)).toEqual([]);
  expect(texts.length).toBeGreaterThan(30);
  expect(statSync(join(fleet().home, "credentials.json")).mode & 0o777).toBe(0o600);
  expect(statSync(join(fleet().home)).mode & 0o077).toBe(0);
});

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name !== "store.sqlite-shm")
    .map((entry) => join(entry.parentPath, entry.name));
}
