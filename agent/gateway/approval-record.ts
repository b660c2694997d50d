import type { Plan } from "../../tools/tool.ts";
import type { ApprovalState, Vote } from "../protocol.ts";

/**
 * How long an approval that is decided, and an operation that has ended, are kept: the approval from when it would have
 * expired. Until then the same proposal finds them again. After that the audit log tells what happened.
 */
export const decisionKeptMs = 90 * 24 * 3600 * 1000;

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
