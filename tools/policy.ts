/** `policy.json` in the fleet repository: who may decide what. Pure functions; the store pins which one is in force. */
import { z } from "zod";
import { ConfigError } from "./errors.ts";
import { digestOf, type Json } from "./json.ts";
import type { PolicyRule } from "./tool.ts";

const ruleSchema = z.strictObject({
  mode: z.enum(["auto", "approve", "deny"]),
  /** Approvers who must agree. */
  quorum: z.number().int().min(1).max(20).default(1),
  /** Takes the place of `quorum` where there is one approver only. */
  quorumIfAlone: z.literal(1).optional(),
  expiresHours: z
    .number()
    .positive()
    .max(24 * 90)
    .default(24),
  /** With `auto`: also for a run that has read public text. Without it, such a run's proposal waits for one approver. */
  autoAfterPublicText: z.literal(true).optional(),
});

/**
 * Operations that are refused to a run that has read public text, where a policy does not say which. Not filled into a
 * policy that is silent: its digest must stay what it was.
 */
const defaultSensitive: readonly string[] = ["policy_change", "secret*", "github_land", "publish"];

export const policySchema = z.strictObject({
  formatVersion: z.literal(1),
  /** Maintainer ids: numbers as text, never names. */
  approvers: z.array(z.string().regex(/^[0-9]{1,20}$/, "an approver is a maintainer's numeric id")).min(1),
  operations: z.record(z.string().regex(/^[a-z][a-z_]*$/), ruleSchema),
  /** Names of operations; one that ends in `*` stands for all that begin so. Refused to a run that has read public text. */
  sensitive: z
    .array(z.string().regex(/^[a-z][a-z_]*\*?$/, "an operation's name, or the beginning of some with a * at its end"))
    .max(100)
    .optional(),
  budgets: z.strictObject({
    /** What the models of the whole fleet may cost in a day, by UTC; 0: nothing may be spent. */
    usdPerDay: z.number().min(0),
    /** What one answer may cost. */
    usdPerRun: z.number().min(0),
    /** What may be spent without getting anywhere, in one answer or by answers in a row; default `usdPerRun`. */
    usdWithoutProgress: z.number().min(0).optional(),
    /** The last part of a day's budget, kept for what maintainers ask themselves; default a tenth of `usdPerDay`. */
    reserveUsd: z.number().min(0).optional(),
    /** What the fleet's machines may cost a month, by list price; without it there is no cap. */
    usdPerMonth: z.number().min(0).optional(),
  }),
});
export type Policy = z.output<typeof policySchema>;

/** Reads a policy; throws ConfigError that names every problem, an unreachable quorum among them. */
export function parsePolicy(text: string, source: string): Policy {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw invalid(source, [`it is not JSON: ${(cause as Error).message}`], cause);
  }
  const result = policySchema.safeParse(raw);
  if (!result.success) {
    throw invalid(
      source,
      result.error.issues.map((issue) => `${issue.path.join(".") || "(the whole file)"}: ${issue.message}`),
    );
  }
  const policy = result.data;
  const eligible = new Set(policy.approvers).size;
  const unreachable = Object.keys(policy.operations).filter((operation) => {
    const rule = ruleFor(policy, operation);
    return rule.mode === "approve" && rule.quorum > eligible;
  });
  if (unreachable.length > 0) {
    throw invalid(
      source,
      unreachable.map(
        (operation) =>
          `operations.${operation}.quorum: needs ${ruleFor(policy, operation).quorum} approvers and there ${eligible === 1 ? "is 1" : `are ${eligible}`}; lower it, add approvers, or set quorumIfAlone`,
      ),
    );
  }
  return policy;
}

function invalid(source: string, problems: string[], cause?: unknown): ConfigError {
  return new ConfigError(`${source} is not a valid policy:\n${problems.map((line) => `  ${line}`).join("\n")}`, {
    code: "policy_invalid",
    hint: "mend the file in the fleet repository and propose it again; the policy in force stays in force",
    cause,
  });
}

/**
 * The rule for an operation. One that the policy does not name needs the highest quorum there is; a change of the
 * policy always does, whatever it says of itself. `afterPublicText`: the run that proposes it has read public text, so
 * that nothing goes through without a person unless the rule says so.
 */
export function ruleFor(policy: Policy, operation: string, options: { afterPublicText?: boolean } = {}): PolicyRule {
  const alone = new Set(policy.approvers).size === 1;
  // Own members only: an operation called "constructor" is one that the policy does not name.
  const rule = Object.hasOwn(policy.operations, operation) ? policy.operations[operation] : undefined;
  if (operation === "policy_change" || !rule) {
    const expiresHours = rule?.expiresHours ?? 24;
    return { mode: rule?.mode === "deny" ? "deny" : "approve", quorum: highestQuorum(policy), expiresHours };
  }
  if (rule.mode === "auto" && options.afterPublicText === true && rule.autoAfterPublicText !== true)
    return { mode: "approve", quorum: 1, expiresHours: rule.expiresHours };
  if (rule.mode !== "approve") return { mode: rule.mode, quorum: 0, expiresHours: rule.expiresHours };
  return {
    mode: "approve",
    quorum: alone ? (rule.quorumIfAlone ?? rule.quorum) : rule.quorum,
    expiresHours: rule.expiresHours,
  };
}

/** Whether a run that has read public text is refused this operation. */
export function isSensitive(policy: Policy, operation: string): boolean {
  return (policy.sensitive ?? defaultSensitive).some((name) =>
    name.endsWith("*") ? operation.startsWith(name.slice(0, -1)) : operation === name,
  );
}

/** The highest quorum that any rule asks for, at least 1. */
export function highestQuorum(policy: Policy): number {
  const alone = new Set(policy.approvers).size === 1;
  const quorums = Object.values(policy.operations)
    .filter((rule) => rule.mode === "approve")
    .map((rule) => (alone ? (rule.quorumIfAlone ?? rule.quorum) : rule.quorum));
  return Math.max(1, ...quorums);
}

export interface Budgets {
  usdPerDay: number;
  usdPerRun: number;
  usdWithoutProgress: number;
  reserveUsd: number;
}

/** What models may cost, with the defaults filled in; a reserve is never more than the day's budget. */
export function budgetsOf({ budgets }: Policy): Budgets {
  const { usdPerDay, usdPerRun, usdWithoutProgress = usdPerRun, reserveUsd = usdPerDay / 10 } = budgets;
  return { usdPerDay, usdPerRun, usdWithoutProgress, reserveUsd: Math.min(reserveUsd, usdPerDay) };
}

export function policyDigest(policy: Policy): string {
  return digestOf(policy as unknown as Json);
}

/** The form in which a policy is written to the fleet repository. */
export function formatPolicy(policy: Policy): string {
  return `${JSON.stringify(policy, null, 2)}\n`;
}
