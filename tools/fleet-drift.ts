import { z } from "zod";
import type { Json } from "./json.ts";
import { defineReadTool } from "./tool.ts";

export const fleetDrift = defineReadTool({
  name: "fleet_drift",
  description:
    "Compares the desired state of the fleet with what runs: missing and unknown instances, wrong revisions, images " +
    "and types, and commits to the fleet repository that no approved operation made.",
  input: z.strictObject({}),
  async run(context) {
    const drift = await context.fleet.drift();
    const lines = drift.items.map(
      (item) => `${item.kind.replaceAll("_", " ")}: ${item.name ?? "fleet"}: ${item.detail}`,
    );
    const text = lines.length === 0 ? "No drift: what runs is what is desired." : lines.join("\n");
    return { text, data: drift as unknown as Json };
  },
});
