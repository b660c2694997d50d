import { expect, test } from "vitest";
import { influenceOf, withoutPlanText } from "../../../agent/console/pages/state/plan-text.ts";
import { interpreterModel } from "../../../agent/mind/models/interpreter.ts";
import { sampleApproval } from "../../support/console-samples.ts";
import { modelRequest } from "../../support/model-request.ts";

const approval = sampleApproval({ id: "ap-1" });
const { id, operation, digest, summary, state, expiresAt, quorum, plan } = approval;
const proposal = { approval: id, operation, digest, summary, state, expiresAt, quorum, warnings: plan.warnings };

/** What the interpreter says of a proposal. */
async function told(
  changed: Partial<{ state: string; quorum: number; publicSources: string[] }> = {},
): Promise<string> {
  const data = { proposal: { ...proposal, ...changed } };
  const message = { role: "tool" as const, call: "c", name: "instance_launch", ok: true, text: "", data };
  const request = modelRequest({ messages: [message] });
  let text = "";
  for await (const event of interpreterModel().stream(request)) if (event.type === "text") text += event.text;
  return text;
}

test("of the interpreter's words nothing is left that the plan's card shows", async () => {
  expect(await told()).toContain("ap-1");
  expect(withoutPlanText(await told(), approval)).toBe("");
  expect(withoutPlanText(await told({ quorum: 2 }), approval)).toBe("");
  const marked = await told({ publicSources: ["a", "b` c", "d", "e"] });
  expect(marked).toContain("Influenced by public text, from `a`, `b' c`, `d` and 1 more.");
  expect(withoutPlanText(marked, approval)).toBe("");
});

test("what the card does not show stays", async () => {
  expect(withoutPlanText(await told({ state: "approved" }), approval)).toBe(
    "Policy allows this without a person's approval. I will say when it has ended.",
  );
  const own = `I would wait with this.\nProposed: ${approval.summary}, but tomorrow`;
  expect(withoutPlanText(own, approval)).toBe(own);
});

test("what shaped a proposal is told by what is known of it", () => {
  const proposer = { ...plan.proposer, influencedByPublicText: true };
  expect(influenceOf(plan.proposer)).toMatchObject({ level: "none", text: "" });
  expect(influenceOf(proposer)).toMatchObject({
    level: "other",
    text: expect.stringContaining("A model proposed this"),
  });
  expect(influenceOf({ ...proposer, kind: "repository" })).toMatchObject({
    level: "other",
    text: expect.stringContaining("A commit proposed this"),
  });
  const publicSources = ["1", "2", "3", "4", "5", "6"];
  expect(influenceOf({ ...proposer, publicSources })).toMatchObject({
    level: "public",
    sources: publicSources.slice(0, 5),
    more: 1,
  });
});
