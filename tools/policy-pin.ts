/** Which policy is in force: pinned in the store, moved only by the operation `policy_change`. */
import { ConfigError, ToolError } from "./errors.ts";
import type { Json } from "./json.ts";
import { isSensitive, type Policy, parsePolicy, policyDigest, ruleFor } from "./policy.ts";
import type { Store } from "./store.ts";
import type { PolicyRule } from "./tool.ts";

const pinKey = "policy/pin";

interface PinRecord {
  formatVersion: 1;
  commit: string;
  digest: string;
  /** The policy itself, so that nothing but the store decides what is in force. */
  text: string;
}

export interface PolicyInForce {
  commit: string;
  digest: string;
  policy: Policy;
  /** `afterPublicText`: the run that proposes it has read public text. */
  ruleFor(operation: string, options?: { afterPublicText?: boolean }): PolicyRule;
  /** Refused to a run that has read public text. */
  isSensitive(operation: string): boolean;
}

/** Throws ConfigError when nothing is pinned or the pinned text does not match its digest. */
export async function readPolicy(store: Store): Promise<PolicyInForce> {
  const record = (await store.get(pinKey))?.value as PinRecord | undefined;
  if (!record) {
    throw new ConfigError("no policy is pinned in the store", {
      code: "policy_missing",
      hint: "start a fresh fleet with `clawdinator up`, which pins the policy of the fleet repository's template",
    });
  }
  const policy = parsePolicy(record.text, `policy.json at ${record.commit.slice(0, 12)}`);
  if (policyDigest(policy) !== record.digest) {
    throw new ConfigError("the pinned policy does not match its digest", {
      code: "policy_tampered",
      hint: "somebody changed the store by hand: restore it from a backup",
    });
  }
  return {
    commit: record.commit,
    digest: record.digest,
    policy,
    ruleFor: (operation, options) => ruleFor(policy, operation, options),
    isSensitive: (operation) => isSensitive(policy, operation),
  };
}

/** The first pin of a new fleet; a pin that exists stays. */
export async function pinFirstPolicy(store: Store, pin: { commit: string; text: string }): Promise<void> {
  const policy = parsePolicy(pin.text, "policy.json");
  const record: PinRecord = { formatVersion: 1, commit: pin.commit, digest: policyDigest(policy), text: pin.text };
  await store.put(pinKey, record as unknown as Json, { ifAbsent: true });
}

/**
 * Moves the pin from one policy to the next; refuses when another one than `from` is in force. Repeating it is harmless.
 */
export async function movePolicyPin(store: Store, move: { from: string; commit: string; text: string }): Promise<void> {
  const policy = parsePolicy(move.text, "the new policy.json");
  const next: PinRecord = { formatVersion: 1, commit: move.commit, digest: policyDigest(policy), text: move.text };
  const entry = await store.get(pinKey);
  const current = entry?.value as PinRecord | undefined;
  if (current?.digest === next.digest && current.commit === next.commit) return;
  if (!entry || current?.digest !== move.from) {
    throw new ToolError("another policy is in force than the one this change was approved under", {
      code: "policy_moved",
      hint: "propose the change again",
    });
  }
  const result = await store.put(pinKey, next as unknown as Json, { ifVersion: entry.version });
  if (!result.written) await movePolicyPin(store, move);
}
