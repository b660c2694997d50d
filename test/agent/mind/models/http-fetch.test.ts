import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { httpFetch } from "../../../../agent/mind/models/http-fetch.ts";

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  let connections = 0;
  server.on("connection", () => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections };
}

async function partsOf(response: Response): Promise<string> {
  let text = "";
  for await (const part of response.body ?? []) text += Buffer.from(part).toString("utf8");
  return text;
}

test("sends bytes as they are and gives the answer's status, headers and parts", async () => {
  const seen: { body: Buffer; type: string | undefined }[] = [];
  const { url } = await serve(async (request, response) => {
    const body = Buffer.concat(await request.toArray());
    seen.push({ body, type: request.headers["content-type"] });
    response.writeHead(418, { "x-own": "é".normalize("NFD").length.toString() }).write("short ");
    response.end("and stout");
  });
  const bytes = Buffer.from("..{}..").subarray(2, 4);
  const headers = { "content-type": "application/json" };
  const response = await httpFetch()(url, { method: "POST", headers, body: bytes });
  expect([response.status, response.ok, response.headers.get("x-own")]).toEqual([418, false, "2"]);
  expect(await partsOf(response)).toBe("short and stout");
  expect(seen).toEqual([{ body: Buffer.from("{}"), type: "application/json" }]);
});

test("uses a connection again, even where its reader left before the last byte", async () => {
  const { url, connections } = await serve((_request, response) => {
    response.write("data");
    setImmediate(() => response.end());
  });
  const fetch = httpFetch();
  for (let count = 0; count < 3; count++) {
    const response = await fetch(url);
    for await (const _part of response.body ?? []) break;
    await expect.poll(() => fetch(url).then((again) => again.text())).toBe("data");
  }
  expect(connections()).toBeLessThanOrEqual(2);
});

test("an abort ends the request while it waits and while it is read, and harms nobody afterwards", async () => {
  const { url } = await serve((request, response) => {
    if (request.url === "/whole") response.end("whole");
    if (request.url === "/begun") response.write("begun");
  });
  const fetch = httpFetch();
  const waiting = new AbortController();
  const never = fetch(`${url}/never`, { signal: waiting.signal });
  waiting.abort(new Error("stopped"));
  await expect(never).rejects.toThrow("stopped");
  const reading = new AbortController();
  const begun = await fetch(`${url}/begun`, { signal: reading.signal });
  const text = partsOf(begun);
  reading.abort(new Error("stopped"));
  await expect(text).rejects.toThrow("stopped");
  const over = new AbortController();
  const whole = await fetch(`${url}/whole`, { signal: over.signal });
  expect(await whole.text()).toBe("whole");
  const next = fetch(`${url}/whole`);
  over.abort();
  expect(await (await next).text()).toBe("whole");
});

test("a cut answer and a closed port fail as they do with the real fetch", async () => {
  const { url } = await serve((_request, response) => {
    response.writeHead(200, { "content-length": 100 }).write("cut", () => response.destroy());
  });
  await expect(httpFetch()(url).then(partsOf)).rejects.toThrow();
  const closed = httpFetch()("http://127.0.0.1:1/");
  await expect(closed).rejects.toThrow(TypeError);
  await expect(closed).rejects.toMatchObject({ message: "fetch failed", cause: { code: "ECONNREFUSED" } });
});

test("reads what a proxy has packed, and follows a redirect", async () => {
  const { url } = await serve(async (request, response) => {
    if (request.url === "/") response.writeHead(307, { location: "/there" }).end();
    else {
      const body = Buffer.concat(await request.toArray());
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(`got ${body}`));
    }
  });
  const fetch = httpFetch();
  expect(await (await fetch(`${url}/there`, { method: "POST", body: "it" })).text()).toBe("got it");
  expect(await (await fetch(`${url}/`, { method: "POST", body: Buffer.from("it") })).text()).toBe("got it");
});
