import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { EBSClient } from "@aws-sdk/client-ebs";
import * as commands from "@aws-sdk/client-ebs";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { blockBytes } from "../../../../../tools/fleet/aws/ebs/blocks.ts";
import { createEbsClient } from "../../../../../tools/fleet/aws/ebs/client.ts";
import { createBlockPut, type PutBlock } from "../../../../../tools/fleet/aws/ebs/put-block.ts";
import { persist } from "../../../../../tools/fleet/aws/ebs/retry.ts";

interface Seen {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** An EBS endpoint that is nothing but `answer`; default: all is well. */
async function startEndpoint(answer?: (seen: Seen, response: ServerResponse) => boolean): Promise<{
  ebs: EBSClient;
  seen: Seen[];
}> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const { method = "", url = "", headers } = request;
    const one = { method, path: url, headers, body: Buffer.concat(parts) };
    seen.push(one);
    if (answer?.(one, response)) return;
    response.writeHead(201, { "content-type": "application/json" }).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  vi.stubEnv("AWS_ENDPOINT_URL_EBS", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIAFIRST");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "first/secret");
  vi.stubEnv("AWS_SESSION_TOKEN", "");
  const ebs = await createEbsClient({ region: "eu-central-1", requestTimeout: 5_000, connectionTimeout: 5_000 });
  onTestFinished(() => {
    vi.unstubAllEnvs();
    ebs.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { ebs, seen };
}

function block(index: number): PutBlock {
  const data = Buffer.alloc(blockBytes, index + 1);
  return { index, data, hash: createHash("sha256").update(data).digest() };
}

function putTo(ebs: EBSClient): (block: PutBlock) => Promise<void> {
  return createBlockPut({ ebs, snapshot: "snap-0123456789abcdef0", commands });
}

/** What the SDK's signer says to the same request. */
async function signatureBySdk(ebs: EBSClient, { method, path, headers }: Seen): Promise<string | undefined> {
  const names = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? "")?.[1]?.split(";") ?? [];
  const time = String(headers["x-amz-date"]).replace(/^(....)(..)(..T..)(..)/, "$1-$2-$3:$4:");
  const signer = await ebs.config.signer();
  const request = {
    method,
    path,
    protocol: "http:",
    hostname: "127.0.0.1",
    headers: Object.fromEntries(names.map((name) => [name, String(headers[name])])),
  };
  return (await signer.sign(request, { signingDate: new Date(time) })).headers.authorization;
}

describe("a put of a block", () => {
  it("is the SDK's request with another block, and is signed as the SDK signs it", async () => {
    const { ebs, seen } = await startEndpoint();
    const put = putTo(ebs);
    for (const index of [7, 8, 12345]) await put(block(index));
    const before = await Promise.all(seen.slice(1).map((one) => signatureBySdk(ebs, one)));
    ebs.config.credentials = async () => ({
      accessKeyId: "AKIASECOND",
      secretAccessKey: "second+secret",
      sessionToken: "token//of+some=length==",
    });
    await put(block(3));
    expect(seen.map(({ path }) => path)).toEqual(
      [7, 8, 12345, 3].map((index) => `/snapshots/snap-0123456789abcdef0/blocks/${index}`),
    );
    const namesOf = ({ headers }: Seen) => Object.keys(headers).filter((name) => !name.startsWith("amz-sdk-"));
    const [first, ...others] = seen;
    for (const [at, other] of others.entries()) {
      const { data, hash } = block([8, 12345, 3][at] ?? 0);
      expect(other.body.equals(data)).toBe(true);
      expect(other.headers["x-amz-checksum"]).toBe(hash.toString("base64"));
      expect(other.headers["x-amz-content-sha256"]).toBe(hash.toString("hex"));
      const token = at === 2 ? ["x-amz-security-token"] : [];
      expect(namesOf(other).sort()).toEqual([...namesOf(first as Seen), ...token].sort());
    }
    const after = await signatureBySdk(ebs, others[2] as Seen);
    expect(others.map(({ headers }) => headers.authorization)).toEqual([...before, after]);
    expect(before[0]).toContain("Credential=AKIAFIRST/");
    expect(after).toContain("Credential=AKIASECOND/");
  });

  it("fails as the SDK's own does", async () => {
    const answers: [number, Record<string, string>, string][] = [
      [429, { "x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/" }, '{"message":"slower"}'],
      [404, {}, '{"__type":"com.amazonaws.ebs#ResourceNotFoundException","Message":"no such snapshot"}'],
      [400, {}, '{"code":"ValidationException","message":"bad checksum"}'],
      [403, { "x-amzn-errortype": "ExpiredTokenException" }, '{"message":"expired"}'],
      [503, { "x-amzn-errortype": "ServiceUnavailable" }, ""],
    ];
    for (const [status, headers, body] of answers) {
      let isWell = false;
      const { ebs } = await startEndpoint((_, response) => {
        if (!isWell) response.writeHead(status, { "content-type": "application/json", ...headers }).end(body);
        return !isWell;
      });
      const errorOf = async (put: Promise<void>) => {
        const error = await put.then(
          () => null,
          (thrown: Error & { $metadata?: { httpStatusCode?: number } }) => thrown,
        );
        return { name: error?.name, status: error?.$metadata?.httpStatusCode };
      };
      const put = putTo(ebs);
      const bySdk = await errorOf(put(block(0)));
      isWell = true;
      await put(block(1));
      isWell = false;
      expect(await errorOf(put(block(2)))).toEqual(bySdk);
      expect(bySdk.status).toBe(status);
    }
  });

  it("goes by the service's clock once it was refused for this machine's", async () => {
    let aheadMs = 0;
    const { ebs, seen } = await startEndpoint(({ headers }, response) => {
      const now = Date.now() + aheadMs;
      response.setHeader("date", new Date(now).toUTCString());
      const time = String(headers["x-amz-date"]).replace(/^(....)(..)(..T..)(..)/, "$1-$2-$3:$4:");
      if (Math.abs(Date.parse(time) - now) < 5 * 60_000) return false;
      response
        .writeHead(403, { "x-amzn-errortype": "InvalidSignatureException" })
        .end('{"message":"Signature expired"}');
      return true;
    });
    const put = putTo(ebs);
    await put(block(0));
    await put(block(1));
    aheadMs = 3600_000;
    await expect(put(block(2))).rejects.toMatchObject({ name: "InvalidSignatureException" });
    await expect(put(block(2))).rejects.toMatchObject({ name: "InvalidSignatureException" });
    await put(block(2));
    await put(block(3));
    expect(seen).toHaveLength(6);
    aheadMs = -3600_000;
    const { signal } = new AbortController();
    await persist("asking with a wrong clock", { signal }, () =>
      ebs.send(new commands.ListSnapshotBlocksCommand({ SnapshotId: "snap-0123456789abcdef0" })),
    );
    expect(seen).toHaveLength(8);
  });
});
