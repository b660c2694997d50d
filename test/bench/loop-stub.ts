/**
 * A model endpoint that answers at once, in the wire format of OpenAI's chat: prints its port, then serves until it is
 * stopped. `GET /sizes` tells how many bytes each request had.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const words = "The fleet is well: two instances are ready, nothing drifts, and no approval waits for anybody. ".repeat(
  3,
);
const pieces = words.match(/.{1,40}/g) ?? [];
const chunk = (rest: object) =>
  `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "stub", ...rest })}\n\n`;
const usage = { prompt_tokens: 1000, completion_tokens: 60, total_tokens: 1060 };
const answer = [
  ...pieces.map((content) => chunk({ choices: [{ index: 0, delta: { content }, finish_reason: null }] })),
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
  chunk({ choices: [], usage }),
  "data: [DONE]\n\n",
].join("");

const sizes: number[] = [];
const server = createServer(async (request, response) => {
  let bytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) bytes += part.length;
  if (request.method === "GET") {
    response.end(JSON.stringify(sizes));
    return;
  }
  sizes.push(bytes);
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.end(answer);
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
