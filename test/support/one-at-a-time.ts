/**
 * S3 judges a condition and writes in one act. The emulator does it in two, between which another thread may write. This
 * stands before it and lets changes of one object through one after the other; everything else passes as it comes.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { Emulator } from "./aws.ts";

/** The environment of whoever is to use the emulator through it. */
export async function oneAtATime(
  emulator: Pick<Emulator, "url" | "environment">,
  atEnd: (work: () => void | Promise<void>) => void,
): Promise<Record<string, string>> {
  const agent = new Agent({ keepAlive: true });
  const turns = new Map<string, Promise<void>>();

  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = incoming.method === "GET" ? "" : await text(incoming);
    await new Promise<void>((resolve) => {
      const onward = request(`${emulator.url}${incoming.url}`, {
        agent,
        method: incoming.method ?? "GET",
        headers: incoming.headers,
      });
      onward.on("response", (response) => {
        outgoing.writeHead(response.statusCode ?? 500, response.headers);
        response.pipe(outgoing);
        response.on("close", resolve);
      });
      // A dropped connection is passed on as one.
      onward.on("error", () => {
        outgoing.destroy();
        resolve();
      });
      onward.end(body);
    });
  };

  const server = createServer((incoming, outgoing) => {
    const isChange = incoming.method === "PUT" || incoming.method === "DELETE";
    const path = (incoming.url ?? "").split("?")[0] ?? "";
    if (!isChange) return void forward(incoming, outgoing);
    const turn = (turns.get(path) ?? Promise.resolve()).then(() => forward(incoming, outgoing));
    turns.set(path, turn);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    agent.destroy();
  });
  const { port } = server.address() as AddressInfo;
  return { ...emulator.environment, AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` };
}
