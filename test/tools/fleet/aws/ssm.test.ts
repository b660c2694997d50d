/** The fast lane. The emulator runs nothing and says Success, so what fails is said by a server in front of it. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { createAwsClients } from "../../../../tools/fleet/aws/clients.ts";
import { type SwitchOptions, sessionCommand, switchDocument, switchInstance } from "../../../../tools/fleet/aws/ssm.ts";
import { emulatorRegion } from "../../../support/aws.ts";
import { shareEmulator } from "../../../support/aws-instances.ts";

const machine = "i-0123456789abcdef0";
const revision = "a".repeat(40);
const before = "b".repeat(40);
const token = "0123456789abcdef".repeat(4);
const emulator = shareEmulator();

beforeEach(async () => {
  process.env.AWS_ENDPOINT_URL = emulator().url;
  emulator().setFaults({});
  await emulator().reset();
});

function openClients() {
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => clients.close());
  return clients;
}

const said: string[] = [];
const run = (rest: Partial<SwitchOptions> = {}) =>
  switchInstance({
    clients: openClients(),
    machine,
    revision,
    token,
    verify: async () => true,
    progress: (text) => said.push(text),
    signal: new AbortController().signal,
    ...rest,
  });

async function commands() {
  const { ListCommandsCommand } = await import("@aws-sdk/client-ssm");
  return (await (await openClients().ssm()).send(new ListCommandsCommand({}))).Commands ?? [];
}

/** Answers some operations itself, from the next prepared answers on, and hands on everything else. */
async function serveAnswers(answers: Record<string, object[]>): Promise<string[]> {
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    const operation = String(request.headers["x-amz-target"]).split(".")[1] ?? "";
    asked.push(operation);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const prepared = answers[operation];
    const answer = prepared && (prepared.length > 1 ? prepared.shift() : prepared[0]);
    const type = { "content-type": "application/x-amz-json-1.1" };
    if (answer) {
      response.writeHead("__type" in answer ? 400 : 200, type).end(JSON.stringify(answer));
      return;
    }
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => /^(x-amz|content-type|authorization)/.test(name)),
    ) as Record<string, string>;
    const passed = await fetch(emulator().url, { method: "POST", headers, body: Buffer.concat(chunks) });
    response.writeHead(passed.status, type).end(Buffer.from(await passed.arrayBuffer()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return asked;
}

test("tells people how to get a shell", () => {
  expect(sessionCommand(machine, "eu-central-1")).toBe(
    "aws ssm start-session --target i-0123456789abcdef0 --region eu-central-1",
  );
});

test("sends the document with the revision alone, and waits until the instance says so itself", async () => {
  let looks = 0;
  const { command } = await run({ verify: async () => ++looks === 3 });
  expect(looks).toBe(3);
  expect(await commands()).toMatchObject([
    { CommandId: command, DocumentName: switchDocument, InstanceIds: [machine], Parameters: { revision: [revision] } },
  ]);
});

test("an attempt that is repeated follows the command that was sent, and another job sends its own", async () => {
  const first = await run();
  expect(await run()).toEqual(first);
  expect((await run({ token: `other${token}` })).command).not.toBe(first.command);
  expect(await commands()).toHaveLength(2);
});

test("takes nothing but a full commit id", async () => {
  for (const wrong of ["main", "a".repeat(39), `${"a".repeat(40)};reboot`])
    await expect(run({ revision: wrong })).rejects.toMatchObject({ code: "invalid_revision" });
  expect(await commands()).toEqual([]);
});

test("waits through what is not visible yet, through throttles, and through every state that passes", async () => {
  const asked = await serveAnswers({
    GetCommandInvocation: [
      { __type: "InvocationDoesNotExist" },
      { Status: "Pending" },
      { __type: "InternalServerError" },
      { Status: "InProgress" },
      { Status: "Delayed" },
      { Status: "Success" },
    ],
  });
  // Of these the SDK itself asks again about a fault of the server.
  await run();
  expect(asked.filter((operation) => operation === "GetCommandInvocation").length).toBeGreaterThanOrEqual(6);
});

test.each([
  ["Failed", "Failed"],
  ["TimedOut", "DeliveryTimedOut"],
  ["Cancelled", "Cancelled"],
])("a command that ended as %s is told with the end of its output", async (Status, StatusDetails) => {
  const StandardErrorContent = `${Array.from({ length: 50 }, (_, line) => `line ${line}`).join("\n")}\nerror: attribute missing\n`;
  await serveAnswers({ GetCommandInvocation: [{ Status, StatusDetails, StandardErrorContent }] });
  const error = await run().catch((caught: unknown) => caught as Error & { log: string[] });
  expect(error).toMatchObject({
    code: "switch_failed",
    message: expect.stringContaining(`ended as ${StatusDetails}`),
    hint: expect.stringContaining("start-session"),
  });
  expect((error as Error).message).toContain("error: attribute missing");
  expect((error as { log: string[] }).log).toHaveLength(20);
});

test("says when Systems Manager does not know the machine, or has no such document", async () => {
  await serveAnswers({ SendCommand: [{ __type: "InvalidInstanceId", message: "not in a valid state" }] });
  await expect(run()).rejects.toMatchObject({ code: "machine_unmanaged", hint: expect.stringMatching(/agent|role/) });
  await serveAnswers({ SendCommand: [{ __type: "InvalidDocument" }] });
  await expect(run()).rejects.toMatchObject({ code: "switch_document_missing" });
  await serveAnswers({ SendCommand: [{ __type: "ExpiredTokenException", message: "expired" }] });
  await expect(run()).rejects.toMatchObject({ hint: expect.stringContaining("log in again") });
});

test("gives up at the deadline, over a command that hangs and over an instance that never says so", async () => {
  await expect(run({ verify: async () => false, deadlineMs: 200 })).rejects.toMatchObject({
    code: "switch_unverified",
    hint: expect.stringContaining("systemctl status"),
  });
  await serveAnswers({ GetCommandInvocation: [{ Status: "InProgress" }] });
  await expect(run({ token: `other${token}`, deadlineMs: 200 })).rejects.toMatchObject({
    code: "deadline",
    message: expect.stringContaining("InProgress"),
  });
});

test("stops when it is told to", async () => {
  const controller = new AbortController();
  await serveAnswers({ GetCommandInvocation: [{ Status: "InProgress" }] });
  const running = run({ signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  await expect(running).rejects.toThrow(/abort/i);
});

test("undoes nothing where nothing was sent, and cancels what still runs before it switches back", async () => {
  const undo = { revision: before, token: `undo-${token}`, undoes: token };
  expect(await run(undo)).toEqual({ command: null });
  expect(await commands()).toEqual([]);
  const sent = {
    CommandId: "11111111-1111-1111-1111-111111111111",
    Comment: `clawdinator ${token.slice(0, 37)} ${revision}`,
  };
  const asked = await serveAnswers({
    ListCommands: [{ Commands: [{ ...sent, Status: "InProgress" }] }],
    CancelCommand: [{}],
    GetCommandInvocation: [{ Status: "Cancelling" }, { Status: "Cancelled" }, { Status: "Success" }],
  });
  expect((await run(undo)).command).toMatch(/^[0-9a-f-]{36}$/);
  expect(asked.filter((operation) => !/GetCommand|ListCommands/.test(operation))).toEqual([
    "CancelCommand",
    "SendCommand",
  ]);
});
