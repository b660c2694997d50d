/**
 * EC2 with a large fleet: a server that knows one call, DescribeInstances, and answers it with so many running
 * instances, in pages as EC2 cuts them. For what the emulator would take minutes to hold.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { instanceTag, nameTag, ownedBy } from "../../tools/fleet/aws/tags.ts";

export interface ManyInstances {
  /** For `AWS_ENDPOINT_URL_EC2`. */
  url: string;
  /** The instances' ids, in order. */
  instances: string[];
  /** Requests so far. */
  requests(): number;
  close(): Promise<void>;
}

export async function serveManyInstances(options: { count: number; fleet: string }): Promise<ManyInstances> {
  const { count, fleet } = options;
  const instances = Array.from({ length: count }, (_, index) => `clawd-${index.toString(16).padStart(12, "0")}`);
  const items = instances.map((instance, index) => {
    const tags = { ...ownedBy(fleet), [instanceTag]: instance, [nameTag]: `CLAWDINATOR-${index + 2}` };
    const tagSet = Object.entries(tags).map(([key, value]) => `<item><key>${key}</key><value>${value}</value></item>`);
    return `<item><instancesSet><item><instanceId>i-${index.toString(16).padStart(17, "0")}</instanceId><instanceState><code>16</code><name>running</name></instanceState><instanceType>t3.small</instanceType><tagSet>${tagSet.join("")}</tagSet></item></instancesSet></item>`;
  });
  let requests = 0;
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => {
      body += text;
    });
    request.on("end", () => {
      requests++;
      const parameters = new URLSearchParams(body);
      const isKnown = parameters.get("Action") === "DescribeInstances";
      const from = Number(parameters.get("NextToken") ?? 0);
      const to = from + Number(parameters.get("MaxResults") ?? 1000);
      const next = to < count ? `<nextToken>${to}</nextToken>` : "";
      response.writeHead(isKnown ? 200 : 400, { "content-type": "text/xml" });
      response.end(
        isKnown
          ? `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet>${items.slice(from, to).join("")}</reservationSet>${next}</DescribeInstancesResponse>`
          : "<Response><Errors><Error><Code>InvalidAction</Code><Message>not served here</Message></Error></Errors></Response>",
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    instances,
    requests: () => requests,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
