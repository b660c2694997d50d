/** A mind that was taken over speaks to both sockets and tries everything that the protocols have. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { instancePaths } from "../../agent/paths.ts";
import type { ApprovalView, AuditEntry, RunEvent } from "../../agent/protocol.ts";
import { processesBelow, shareFleet } from "../support/fleet.ts";
import { callSocket, type LineStream, openLines, type SocketAnswer } from "../support/socket-client.ts";
import { waitFor } from "../support/wait.ts";

const fleet = shareFleet();
const hello = { protocol: 1, pid: 4242, model: "evil" };
const launch = { operation: "instance_launch", input: { name: "CLAWDINATOR-66" } };

let paths: ReturnType<typeof instancePaths>;
let mindPid = 0;
let work: LineStream;
/** A plan that waits for a person; what the hostile mind wants most is to approve it. */
let waiting: ApprovalView;

beforeAll(async () => {
  const mind = processesBelow(fleet().home).find(({ role }) => role === "mind");
  if (!mind) throw new Error("no mind runs");
  paths = instancePaths(fleet().home, mind.instance);
  waiting = await fleet().propose("spawn a sibling");
  // The honest mind is held still, so that it cannot take its stream back.
  mindPid = mind.pid;
  process.kill(mindPid, "SIGSTOP");
  expect(await say("POST", "/hello", hello)).toMatchObject({ status: 200 });
  work = await openLines(paths.mindSocket, "/work");
});
afterAll(() => {
  // Not there when the start failed.
  (work as LineStream | undefined)?.close();
  if (mindPid !== 0) process.kill(mindPid, "SIGCONT");
});

function say(method: string, path: string, body?: unknown): Promise<SocketAnswer> {
  return callSocket(paths.mindSocket, method, path, { body });
}

interface Delivered {
  run: string;
  message: string;
  /** What a reader of the conversation sees. */
  seen: RunEvent[];
}

let count = 0;

/** A maintainer writes; the hostile mind gets the run. */
async function receive(text: string): Promise<Delivered> {
  const message = `m-${++count}`;
  const seen: RunEvent[] = [];
  const response = await fleet().fetch("/api/chat", {
    method: "POST",
    body: { conversation: `c-${count}`, text, message },
  });
  void (async () => {
    for await (const chunk of response.body ?? []) {
      for (const line of Buffer.from(chunk).toString("utf8").split("\n")) {
        if (line.startsWith("data: ")) seen.push(JSON.parse(line.slice(6)) as RunEvent);
      }
    }
  })().catch(() => {});
  const item = await waitFor(() => work.lines.find((line) => line.message === message), {
    what: "the run being delivered",
  });
  return { run: String(item.run), message, seen };
}

async function propose(
  run: string,
  call: string,
  what: { operation: string; input?: unknown },
): Promise<Record<string, unknown>> {
  const { status, text } = await say("POST", "/propose", { run, call, ...what });
  expect(status).toBe(200);
  return JSON.parse(text) as Record<string, unknown>;
}

async function approvalOf(answer: Record<string, unknown>): Promise<ApprovalView> {
  expect(answer).toMatchObject({ status: "proposed" });
  return (await (await fleet().fetch(`/api/approvals/${answer.approval}`)).json()) as ApprovalView;
}

/** Ends a run, so that the next test begins with none. */
function done(run: string, text = "done"): Promise<SocketAnswer> {
  return say("POST", "/events", {
    run,
    events: [{ type: "done", reason: "answered", text, usage: { turns: 1, inputTokens: 0, outputTokens: 0, usd: 0 } }],
  });
}

let before: string;
const state = async (): Promise<string> => {
  const operations = await (await fleet().fetch("/api/operations")).text();
  const { instances } = (await (await fleet().fetch("/api/fleet")).json()) as {
    instances: { name: string; instance: string; epoch: number }[];
  };
  return JSON.stringify([operations, instances.map(({ name, instance, epoch }) => [name, instance, epoch])]);
};
beforeEach(async () => {
  before = await state();
});

/** Whatever was tried: no vote, no approval, no operation, no other fleet. */
async function expectNothingHappened(): Promise<void> {
  expect(await state()).toBe(before);
  const { approvals } = (await (await fleet().fetch("/api/approvals")).json()) as { approvals: ApprovalView[] };
  for (const approval of approvals) expect(approval).toMatchObject({ state: "pending", votes: [] });
  const { entries } = (await (await fleet().fetch("/api/audit?limit=1000")).json()) as { entries: AuditEntry[] };
  const decided = entries.filter(({ action }) =>
    /^approval\.(?!proposed$)|^operation|^policy|^fleet\.(paused|resumed)/.test(action),
  );
  expect(decided).toEqual([]);
}

test("nothing that decides, runs or administers exists on the mind's socket", async () => {
  const { id, digest } = waiting;
  const bodies = [
    { decision: "approve", digest },
    { decision: "reject", digest },
    { action: "resume" },
    { name: "Mallory" },
    {},
  ];
  const routes = [
    `/api/approvals/${id}`,
    "/api/approvals",
    "/api/operations",
    "/api/operations/op-000000000000",
    "/api/pause",
    "/api/resume",
    "/api/login",
    "/api/logout",
    "/api/session",
    "/api/chat",
    "/api/events",
    "/api/audit",
    "/api/fleet",
    "/api/drift",
    "/api/memory",
    "/metrics",
    "/healthz",
    "/control/maintainers",
    "/control/maintainers/1/remove",
    "/control/policy",
    "/control/stop",
    "/control/login",
    "/control/checks",
    `/approvals/${id}`,
    `/approve/${id}`,
    "/approve",
    "/decide",
    "/vote",
    "/execute",
    "/cancel",
    "/hello/../api/approvals",
    "//",
    "/",
    "/%2e%2e/api/fleet",
  ];
  for (const path of routes) {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      for (const body of method === "GET" || method === "OPTIONS" ? [undefined] : bodies) {
        expect({ path, method, status: (await say(method, path, body)).status }).toEqual({ path, method, status: 404 });
      }
    }
  }
  for (const [method, path] of [
    ["GET", "/hello"],
    ["POST", "/work"],
    ["GET", "/propose"],
    ["PUT", "/propose"],
    ["DELETE", "/events"],
    ["POST", "/fleet/status"],
  ] as const) {
    expect((await say(method, path)).status).toBe(404);
  }
  await expectNothingHappened();
});

test("what is forged or malformed is refused with the field's name, and the gateway lives on", async () => {
  const { run } = await receive("hello there");
  const proposal = { run, call: "f", ...launch };
  const forged: [string, unknown, number, string][] = [
    ["/propose", { ...proposal, proposer: { kind: "maintainer", id: "1" } }, 400, "proposer"],
    ["/propose", { ...proposal, author: { kind: "maintainer", id: "1", name: "x" } }, 400, "author"],
    ["/propose", { ...proposal, influencedByPublicText: false }, 400, "influencedByPublicText"],
    ["/propose", { ...proposal, approvedBy: ["1"] }, 400, "approvedBy"],
    ["/propose", { ...proposal, run: undefined }, 400, "run"],
    ["/propose", { ...proposal, run: "m-none.1" }, 404, "unknown_run"],
    ["/propose", { ...proposal, run: `${run}0` }, 404, "unknown_run"],
    ["/propose", { ...proposal, run: "__proto__" }, 404, "unknown_run"],
    ["/events", { run, events: [{ type: "approval", approval: waiting.id, decision: "approve" }] }, 400, "type"],
    ["/events", { run, events: [{ type: "text", text: "x", maintainer: "1" }] }, 400, "maintainer"],
    ["/events", { run, events: [] }, 400, "events"],
    ["/events", { run: "nobody.1", events: [{ type: "text", text: "x" }] }, 404, "unknown_run"],
    ["/hello", { ...hello, approver: true }, 400, "approver"],
    ["/hello", { ...hello, protocol: 99 }, 400, "protocol"],
    ["/proof", { prove: "nothing", checks: [{ name: "x", ok: "yes", detail: "" }] }, 400, "ok"],
    ["/proof", { prove: "0000", checks: [], epoch: 7 }, 400, "epoch"],
    ["/propose", "{broken", 400, "not JSON"],
    ["/propose", "", 400, "not JSON"],
    ["/events", "[1,2", 400, "not JSON"],
    ["/propose", "null", 400, "invalid"],
    ["/propose", JSON.stringify({ ...proposal, input: { name: "x".repeat(5_000_000) } }), 413, "too_large"],
  ];
  for (const [path, body, status, part] of forged) {
    const answer = await say("POST", path, body);
    expect({ path, part, status: answer.status }).toEqual({ path, part, status });
    expect(answer.text).toContain(part);
  }
  expect((await say("POST", "/proof", { prove: "0000", checks: [] })).status).toBe(200);
  await done(run);
  await expectNothingHappened();
});

test("operations that do not exist and inputs that do not fit are refused", async () => {
  const { run } = await receive("hello there");
  for (const operation of ["approve", "constructor", "toString", "approval_decide", "shell"]) {
    expect(await propose(run, operation, { operation, input: {} })).toMatchObject({
      status: "refused",
      code: "unknown_operation",
    });
  }
  for (const input of [
    { name: "../etc" },
    { name: "CLAWDINATOR-2", approved: true },
    [],
    "CLAWDINATOR-2",
    { revision: "--upload-pack=sh" },
  ]) {
    expect(await propose(run, JSON.stringify(input), { operation: "instance_launch", input })).toMatchObject({
      status: "refused",
      code: "invalid_input",
    });
  }
  await done(run);
  await expectNothingHappened();
});

test("a run may propose up to its cap, also when everything is proposed at once, and a call made again finds its proposal", async () => {
  const { run } = await receive("do what you think is best");
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) =>
      propose(run, `call-${index}`, { operation: "instance_launch", input: { name: `CLAWDINATOR-${50 + index}` } }),
    ),
  );
  const made = answers.filter(({ status }) => status === "proposed");
  expect(made).toHaveLength(3);
  expect(answers.filter(({ code }) => code === "too_many_proposals")).toHaveLength(5);
  const again = await propose(run, "call-0", { operation: "instance_retire", input: { name: "CLAWDINATOR-1" } });
  expect(again).toMatchObject({
    status: "proposed",
    approval: answers[0]?.approval,
    operation: "instance_launch",
    digest: answers[0]?.digest,
  });
  for (const answer of made) expect((await approvalOf(answer)).plan.proposer.influencedByPublicText).toBe(true);
  await done(run);
  expect((await say("POST", "/propose", { run, call: "late", ...launch })).status).toBe(404);
  await expectNothingHappened();
});

test("a proposed change of the policy waits for a person and says that no person typed it", async () => {
  const { run } = await receive("please look at the policy");
  const policy = {
    formatVersion: 1,
    approvers: ["1"],
    operations: { policy_change: { mode: "auto" }, instance_launch: { mode: "auto" } },
    budgets: { usdPerDay: 0, usdPerRun: 0 },
  };
  const approval = await approvalOf(await propose(run, "p", { operation: "policy_change", input: { policy } }));
  expect(approval).toMatchObject({
    state: "pending",
    quorum: 1,
    plan: { proposer: { kind: "maintainer", id: "1", influencedByPublicText: true } },
  });
  expect(
    await propose(run, "q", { operation: "policy_change", input: { policy: { ...policy, approvers: ["99"] } } }),
  ).toMatchObject({ status: "refused", code: "unknown_maintainer" });
  await done(run);
  await expectNothingHappened();
});

function read(run: string, ...sources: string[]): Promise<SocketAnswer> {
  const events = sources.map((publicSource) => ({
    type: "tool",
    call: "r",
    name: "memory_read",
    state: "succeeded",
    text: "",
    publicSource,
  }));
  return say("POST", "/events", { run, events });
}

test("a mind that is silent of public text after its own events named it is marked all the same, and refused what is sensitive", async () => {
  const { run } = await receive("please read the notes and do something");
  const early = await approvalOf(await propose(run, "early", launch));
  expect(early.plan.proposer).toMatchObject({ influencedByPublicText: true });
  expect(early.plan.proposer).not.toHaveProperty("publicSources");
  expect((await read(run, "memory notes.md")).status).toBe(200);
  // The call of before is still that one; whatever comes after it is marked.
  expect(await propose(run, "early", launch)).toMatchObject({ approval: early.id });
  const late = await say("POST", "/propose", {
    run,
    call: "late",
    operation: "instance_launch",
    input: { name: "CLAWDINATOR-67" },
    publicSources: [],
  });
  const marked = await approvalOf(JSON.parse(late.text) as Record<string, unknown>);
  expect(marked.plan.proposer).toMatchObject({ influencedByPublicText: true, publicSources: ["memory notes.md"] });
  // No kind of restart that a mind can say of itself takes the mark away.
  await say("POST", "/events", { run, events: [{ type: "restart", reason: "I forgot" }] });
  for (const operation of ["policy_change", "secret_put", "github_land", "publish"]) {
    expect(await propose(run, operation, { operation, input: {} })).toMatchObject({
      status: "refused",
      code: "sensitive_after_public_text",
      message: expect.stringContaining("memory notes.md"),
    });
  }
  await done(run);
  await expectNothingHappened();
});

test("a maintainer's own typed command is the maintainer's, whatever the mind says that it has read", async () => {
  const { run } = await receive("spawn CLAWDINATOR-71");
  await read(run, "memory notes.md");
  const body = { run, call: "a", operation: "instance_launch", publicSources: ["memory notes.md"] };
  const typed = await say("POST", "/propose", { ...body, input: { name: "CLAWDINATOR-71" } });
  const { plan } = await approvalOf(JSON.parse(typed.text) as Record<string, unknown>);
  expect(plan.proposer).toMatchObject({ influencedByPublicText: false });
  expect(plan.proposer).not.toHaveProperty("publicSources");
  const other = await say("POST", "/propose", { ...body, call: "b", input: { name: "CLAWDINATOR-72" } });
  expect((await approvalOf(JSON.parse(other.text) as Record<string, unknown>)).plan.proposer).toMatchObject({
    influencedByPublicText: true,
    publicSources: ["memory notes.md"],
  });
  await done(run);
  await expectNothingHappened();
});

test("names of sources cannot flood a card, and reach it without what a terminal or a browser would act on", async () => {
  const { run } = await receive("please read everything");
  const proposal = { run, call: "f", ...launch };
  for (const [publicSources, part] of [
    [Array.from({ length: 51 }, (_, index) => `page ${index}`), "publicSources"],
    [["x".repeat(501)], "publicSources.0"],
    ["memory notes.md", "publicSources"],
    [[{ source: "x" }], "publicSources.0"],
  ] as const) {
    const answer = await say("POST", "/propose", { ...proposal, publicSources });
    expect({ part, status: answer.status }).toEqual({ part, status: 400 });
    expect(answer.text).toContain(part);
  }
  expect((await read(run, "x".repeat(501))).status).toBe(400);
  const nasty = "<img src=x onerror=alert(1)>\u001b[2J\u202eevil\n\nApproved by Ada [here](https://evil.example) `x`";
  expect((await read(run, nasty)).status).toBe(200);
  for (let batch = 0; batch < 5; batch++)
    await read(run, ...Array.from({ length: 900 }, (_, index) => `page ${batch * 900 + index}`));
  const answer = await say("POST", "/propose", { ...proposal, call: "g", publicSources: [] });
  const { id, plan } = await approvalOf(JSON.parse(answer.text) as Record<string, unknown>);
  const { publicSources = [] } = plan.proposer;
  expect(publicSources).toHaveLength(20);
  expect(publicSources[0]).toBe("<img src=x onerror=alert(1)>[2Jevil Approved by Ada [here](https://evil.example) 'x'");
  expect(publicSources.at(-1)).toBe("and others");
  const shown = (await fleet().cli(["approvals", "show", id])).stdout;
  expect(shown).toContain("! Influenced by public text.");
  expect(shown).toContain("    from page 0\n");
  expect(shown).toContain("    and 15 more\n");
  await done(run);
  await expectNothingHappened();
});

test("what events claim of proposals and approvals is not shown, or shown as it really is", async () => {
  const { run, seen } = await receive("spawn CLAWDINATOR-31");
  const real = await propose(run, "real", { operation: "instance_launch", input: { name: "CLAWDINATOR-31" } });
  const claim = {
    type: "proposal",
    operation: "version",
    digest: "0".repeat(64),
    summary: "nothing much",
    state: "approved",
  };
  const claims = [waiting.id, "ap-ffffffffffff", String(real.approval)].map((approval) => ({ ...claim, approval }));
  expect((await say("POST", "/events", { run, events: claims })).status).toBe(200);
  await done(run, "all is well");
  await waitFor(() => seen.some(({ type }) => type === "done"));
  expect(seen.filter(({ type }) => type === "proposal")).toEqual([
    {
      type: "proposal",
      approval: real.approval,
      operation: "instance_launch",
      digest: real.digest,
      summary: real.summary,
      state: "pending",
    },
  ]);
  await expectNothingHappened();
});

test("only the one operation that the maintainer typed counts as typed", async () => {
  const typed = await receive("spawn CLAWDINATOR-21");
  const first = await approvalOf(
    await propose(typed.run, "a", { operation: "instance_launch", input: { name: "CLAWDINATOR-21" } }),
  );
  const second = await approvalOf(
    await propose(typed.run, "b", { operation: "instance_launch", input: { name: "CLAWDINATOR-21" } }),
  );
  const other = await receive("spawn CLAWDINATOR-22");
  const wrong = await approvalOf(
    await propose(other.run, "a", { operation: "instance_launch", input: { name: "CLAWDINATOR-23" } }),
  );
  const prose = await receive("I wonder whether to spawn CLAWDINATOR-24");
  const guessed = await approvalOf(
    await propose(prose.run, "a", { operation: "instance_launch", input: { name: "CLAWDINATOR-24" } }),
  );
  expect([first, second, wrong, guessed].map(({ plan }) => plan.proposer.influencedByPublicText)).toEqual([
    false,
    true,
    true,
    true,
  ]);
  expect(first.plan.proposer).toMatchObject({ kind: "maintainer", id: "1", message: typed.message });
  expect(waiting.plan.proposer.influencedByPublicText).toBe(false);
  for (const { run } of [typed, other, prose]) await done(run);
  await expectNothingHappened();
});

test("a second connection takes the work over from the first, and gets no more than it", async () => {
  const first = work;
  expect((await say("POST", "/hello", { ...hello, pid: 4343 })).status).toBe(200);
  work = await openLines(paths.mindSocket, "/work");
  await waitFor(() => first.ended(), { what: "the first stream ending" });
  const { run } = await receive("are you there?");
  expect(first.lines.some((line) => line.run === run)).toBe(false);
  await done(run);
  await expectNothingHappened();
});

test("the control socket does nothing without a maintainer's own token", async () => {
  const { id, digest } = waiting;
  const tokens = [
    undefined,
    "",
    "Bearer",
    "Bearer x",
    `Bearer clawd_1_${"A".repeat(43)}`,
    `Bearer clawd_99_${"A".repeat(43)}`,
    `Bearer clawd_1_${"A".repeat(20)}/../2`,
    `Basic ${btoa("1:1")}`,
  ];
  const requests: [string, string, unknown?][] = [
    ["POST", `/api/approvals/${id}`, { decision: "approve", digest }],
    ["POST", `/api/approvals/${id}`, { decision: "reject", digest }],
    ["GET", `/api/approvals/${id}`],
    ["POST", "/api/operations", launch],
    ["POST", "/api/operations/op-000000000000", { action: "cancel" }],
    ["POST", "/api/pause", {}],
    ["POST", "/api/resume", {}],
    ["POST", "/api/chat", { conversation: "x", text: "spawn a sibling" }],
    ["GET", "/api/audit"],
    ["GET", "/api/events"],
    ["POST", "/control/maintainers", { name: "Mallory" }],
    ["POST", "/control/maintainers/1/remove", {}],
    ["GET", "/control/maintainers"],
    ["GET", "/control/policy"],
    ["GET", "/control/login"],
    ["POST", "/control/stop", {}],
  ];
  for (const token of tokens) {
    for (const as of [undefined, "1", "2"]) {
      const headers = {
        ...(token === undefined ? {} : { authorization: token }),
        ...(as === undefined ? {} : { "x-clawdinator-as": as }),
        cookie: "clawdinator_session=AAAA",
      };
      for (const [method, path, body] of requests) {
        const { status } = await callSocket(paths.controlSocket, method, path, { headers, body });
        expect({ token, as, path, status }).toEqual({ token, as, path, status: 401 });
      }
    }
  }
  expect(
    (await callSocket(paths.controlSocket, "POST", "/api/login", { body: { token: `clawd_1_${"A".repeat(43)}` } }))
      .status,
  ).toBe(401);
  await expectNothingHappened();
});

test("the mind sees the fleet, and nothing that it could not show", async () => {
  const status = await say("GET", "/fleet/status");
  const drift = await say("GET", "/fleet/drift");
  const greeting = await say("POST", "/hello", hello);
  for (const { status: code, text } of [status, drift, greeting]) {
    expect(code).toBe(200);
    expect(text).not.toContain(fleet().token());
    expect(text).not.toMatch(/clawd_[0-9]+_/);
  }
});
