/** The gateway's half of the mind's protocol, over a real Unix socket: records what the mind says and checks its form. */
import { mkdirSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname } from "node:path";
import { onTestFinished } from "vitest";
import {
  eventsSchema,
  type Hello,
  helloSchema,
  type OperationDescriptor,
  type Proof,
  type Propose,
  type ProposeAnswer,
  proofSchema,
  proposeSchema,
  protocolVersion,
  type RunEvent,
  type SpendBegin,
  type SpendBeginAnswer,
  type SpendEnd,
  spendBeginSchema,
  spendEndSchema,
  type Work,
} from "../../agent/protocol.ts";
import { waitFor } from "./wait.ts";

export interface MindGateway {
  hellos: Hello[];
  proposals: Propose[];
  proofs: Proof[];
  /** What models were asked for, and what was used. */
  begins: SpendBegin[];
  ends: SpendEnd[];
  /** Every event of each run, in the order of arrival. */
  events: Map<string, RunEvent[]>;
  /** What the person sees of a run: events since the last restart. */
  shown(run: string): RunEvent[];
  send(work: Work): void;
  done(run: string): Promise<Extract<RunEvent, { type: "done" }>>;
  connected(): Promise<void>;
  isConnected(): boolean;
  /** Ends every connection at once, as a killed process does. */
  kill(): Promise<void>;
}

export interface MindGatewayOptions {
  operations?: OperationDescriptor[];
  propose?(proposal: Propose): ProposeAnswer | Promise<ProposeAnswer>;
  /** Default: everything may be spent. */
  spend?(request: SpendBegin): SpendBeginAnswer;
  isPaused?(): boolean;
  /** Whether the events of a run are taken; default: every run's. */
  knows?(run: string): boolean;
}

export function runWork(run: string, text: string, rest: Partial<Extract<Work, { type: "run" }>> = {}): Work {
  const author = { kind: "maintainer" as const, id: "m1", name: "Ada" };
  const base = {
    message: `message-${run}`,
    conversation: "talk",
    channel: "console",
    epoch: 1,
    author,
    resumed: false,
  };
  return { type: "run", run, text, ...base, ...rest };
}

export async function startMindGateway(socket: string, options: MindGatewayOptions = {}): Promise<MindGateway> {
  const hellos: Hello[] = [];
  const proposals: Propose[] = [];
  const proofs: Proof[] = [];
  const begins: SpendBegin[] = [];
  const ends: SpendEnd[] = [];
  const events = new Map<string, RunEvent[]>();
  let work: ServerResponse | null = null;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`;
    const reply = (status: number, body: unknown) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (route === "GET /work") {
      work = response;
      response.on("close", () => {
        if (work === response) work = null;
      });
      response.writeHead(200, { "content-type": "application/x-ndjson" }).flushHeaders();
      return;
    }
    const body = await readBody(request);
    if (route === "POST /hello") {
      hellos.push(helloSchema.parse(body));
      reply(200, {
        protocol: protocolVersion,
        instance: "i-1",
        name: "CLAWDINATOR-1",
        epoch: 1,
        program: { version: "0.1.0", revision: "a".repeat(40), image: "checkout" },
        operations: options.operations ?? [],
      });
    } else if (route === "POST /events") {
      const { run, events: batch } = eventsSchema.parse(body);
      if (options.knows && !options.knows(run))
        return reply(404, { error: { code: "unknown_run", message: "", hint: "" } });
      events.set(run, [...(events.get(run) ?? []), ...batch]);
      reply(200, {});
    } else if (route === "POST /propose") {
      const proposal = proposeSchema.parse(body);
      proposals.push(proposal);
      const refused: ProposeAnswer = { status: "refused", code: "denied", message: "not here", hint: "ask elsewhere" };
      reply(200, (await options.propose?.(proposal)) ?? refused);
    } else if (route === "POST /spend/begin") {
      const begin = spendBeginSchema.parse(body);
      begins.push(begin);
      reply(200, options.spend?.(begin) ?? { status: "allowed" });
    } else if (route === "POST /spend/end") {
      ends.push(spendEndSchema.parse(body));
      reply(200, { usd: 0.01 });
    } else if (route === "POST /proof") {
      proofs.push(proofSchema.parse(body));
      reply(200, {});
    } else if (route === "GET /fleet/status") {
      reply(200, { at: 1, instances: [], self: { name: "CLAWDINATOR-1", instance: "i-1" } });
    } else if (route === "GET /fleet/drift") reply(200, { at: 1, items: [] });
    else if (route === "GET /pause") reply(200, { isPaused: options.isPaused?.() ?? false });
    else reply(404, {});
  }

  mkdirSync(dirname(socket), { recursive: true });
  rmSync(socket, { force: true });
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      response.writeHead(400).end(JSON.stringify({ error: { code: "bad", message: String(error), hint: "" } }));
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));

  const kill = async () => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    rmSync(socket, { force: true });
  };
  onTestFinished(kill);
  const shown = (run: string) => {
    const all = events.get(run) ?? [];
    return all.slice(all.findLastIndex(({ type }) => type === "restart") + 1);
  };
  return {
    hellos,
    proposals,
    proofs,
    begins,
    ends,
    events,
    shown,
    kill,
    send: (item) => void work?.write(`${JSON.stringify(item)}\n`),
    async done(run) {
      const find = () => shown(run).find((event) => event.type === "done");
      return waitFor(find, { what: `the end of ${run}` });
    },
    isConnected: () => work !== null,
    connected: async () => void (await waitFor(() => work !== null, { what: "the mind's connection" })),
  };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text === "" ? null : JSON.parse(text);
}
