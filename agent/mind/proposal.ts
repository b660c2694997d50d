/** The data of a tool result that is a proposal. */
import { z } from "zod";

const proposalSchema = z.object({
  proposal: z.object({
    approval: z.string(),
    operation: z.string(),
    digest: z.string(),
    summary: z.string(),
    state: z.enum(["pending", "approved"]),
    expiresAt: z.number(),
    quorum: z.number(),
    warnings: z.array(z.string()),
    publicSources: z.array(z.string()).optional(),
  }),
});
export type Proposal = z.output<typeof proposalSchema>["proposal"];

/** Null when a tool result's data is anything else. */
export function proposalOf(data: unknown): Proposal | null {
  const result = proposalSchema.safeParse(data);
  return result.success ? result.data.proposal : null;
}
