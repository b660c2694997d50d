/** The SDK's EBS client, tuned for thousands of puts of half a mebibyte. */
import type { EBSClient } from "@aws-sdk/client-ebs";
import { createBlockRequestHandler } from "./request-handler.ts";

/** The client makes one attempt a call: the uploader has one retry layer of its own. */
export async function createEbsClient(options: {
  region: string;
  requestTimeout: number;
  connectionTimeout: number;
}): Promise<EBSClient> {
  const [{ EBSClient: Client }, requestHandler] = await Promise.all([
    import("@aws-sdk/client-ebs"),
    createBlockRequestHandler(options),
  ]);
  const client = new Client({ region: options.region, maxAttempts: 1, cacheMiddleware: true, requestHandler });
  // Steps that do nothing here, or the same for every block: together a tenth of a put's processor time.
  for (const name of ["loggerMiddleware", "recursionDetectionMiddleware", "getUserAgentMiddleware"])
    client.middlewareStack.remove(name);
  // The block's checksum is the payload hash that the signature needs: what is hashed once is not hashed again.
  client.middlewareStack.add(
    (next) => (given) => {
      const headers = (given.request as { headers: Record<string, string> }).headers;
      headers["user-agent"] = "clawdinator";
      const checksum = headers["x-amz-checksum"];
      const isBlock = checksum !== undefined && headers["x-amz-data-length"] !== undefined;
      if (isBlock) headers["x-amz-content-sha256"] = Buffer.from(checksum, "base64").toString("hex");
      return next(given);
    },
    { step: "build", name: "blockPayloadHash" },
  );
  return client;
}
