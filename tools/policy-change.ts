import { z } from "zod";
import { ToolError } from "./errors.ts";
import { commitMessage } from "./fleet/steps.ts";
import { differences, type Json } from "./json.ts";
import { formatPolicy, parsePolicy, policyDigest, policySchema } from "./policy.ts";
import { movePolicyPin, readPolicy } from "./policy-pin.ts";
import { defineOperation } from "./tool.ts";

/** Maintainers' own numbers are counted up from 1. */
const discordUserPattern = /^[0-9]{15,20}$/;

export const policyChange = defineOperation({
  name: "policy_change",
  description:
    "Puts another policy.json in force: who may approve, what needs whose approval, budgets. Decided by the policy before the change, with the highest quorum in it.",
  input: z.strictObject({ policy: policySchema.describe("the whole new policy") }),

  async plan({ fleet }, input) {
    const inForce = await readPolicy(fleet.store);
    const text = formatPolicy(input.policy);
    const next = parsePolicy(text, "the proposed policy");
    const changes = differences(inForce.policy as unknown as Json, next as unknown as Json);
    if (changes.length === 0) {
      throw new ToolError("the proposed policy is the one in force", {
        code: "nothing_to_change",
        hint: "nothing to do",
      });
    }
    // An approver who is nobody can make a quorum that nobody can reach.
    for (const id of new Set(next.approvers)) {
      if (inForce.policy.approvers.includes(id)) continue;
      const maintainer = (await fleet.store.get(`maintainers/${id}`))?.value as
        | { removedAt: number | null }
        | undefined;
      if (maintainer?.removedAt === null) continue;
      // A Discord user id: who is a maintainer there by a role has no record here.
      if (discordUserPattern.test(id)) continue;
      throw new ToolError(`approvers: there is no maintainer ${id}`, {
        code: "unknown_maintainer",
        hint: "add the person first: `clawdinator maintainers add NAME`",
      });
    }
    return {
      summary: `change the policy in ${changes.length} place(s): ${changes
        .map((change) => change.path)
        .slice(0, 5)
        .join(", ")}`,
      facts: { from: inForce.digest, to: policyDigest(next), text },
      changes: changes.map(({ path, before, after }) => ({ what: `policy.json › ${path}`, before, after })),
      targets: [],
      cost: { onceUsd: 0, monthlyUsd: 0, note: "none" },
      warnings: [],
    };
  },

  steps: (plan) => {
    const { from, text } = plan.facts as unknown as { from: string; text: string };
    return [
      {
        name: "commit_policy",
        async run(context) {
          const { commit } = await context.fleet.repository.commit({
            trailer: `${context.digest}/commit_policy`,
            message: commitMessage(context, "Change the policy"),
            change: () => ({ policyText: text }),
          });
          return { result: { commit } };
        },
      },
      {
        name: "pin_policy",
        async run({ fleet, results }) {
          const { commit } = results.commit_policy as { commit: string };
          await movePolicyPin(fleet.store, { from, commit, text });
          return { result: { commit } };
        },
      },
    ];
  },
});
