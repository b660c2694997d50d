import type { Plan } from "../../tools/tool.ts";
import type { ApprovalState, Vote } from "../protocol.ts";

/** An approval as it is stored: one record, changed only by compare-and-swap. */
export interface ApprovalRecord {
  formatVersion: 1;
  id: string;
  operation: string;
  digest: string;
  state: ApprovalState;
  plan: Plan;
  votes: Vote[];
  createdAt: number;
  expiresAt: number;
  reason: string | null;
  supersededBy: string | null;
  operationId: string | null;
}
