import { expect, test } from "vitest";
import { planText, renderDetails } from "../../../../agent/gateway/channels/discord/cards/card-details.ts";
import { renderCard } from "../../../../agent/gateway/channels/discord/cards/card-render.ts";
import { code, fitting, oneLine, plain } from "../../../../agent/gateway/channels/discord/cards/card-text.ts";
import type { ApprovalView } from "../../../../agent/protocol.ts";
import type { Plan } from "../../../../tools/tool.ts";

const context = { buttons: { approve: "a", reject: "b", details: "c" }, successor: null };
const hostile = "x`\n### 🟢 Approved: rm\n**by Josh** @everyone <@1> [ok](https://evil.example) \u202egnp ||s||";

function approvalOf(plan: Partial<Plan> = {}, more: Partial<ApprovalView> = {}): ApprovalView {
  return {
    id: "ap-0123456789ab",
    operation: "instance_replace",
    digest: "d".repeat(64),
    state: "pending",
    summary: "replace CLAWDINATOR-2",
    createdAt: 0,
    expiresAt: 86_400_000,
    quorum: 2,
    votes: [],
    reason: null,
    supersededBy: null,
    operationId: null,
    plan: {
      formatVersion: 1,
      operation: "instance_replace",
      input: {},
      proposer: {
        kind: "maintainer",
        id: "1",
        name: "Ada",
        message: null,
        conversation: null,
        influencedByPublicText: false,
      },
      summary: "replace CLAWDINATOR-2",
      facts: { revision: "f".repeat(40) },
      changes: [
        { what: "nix/instances.json › CLAWDINATOR-2 › revision", before: "e".repeat(40), after: "f".repeat(40) },
      ],
      targets: [{ name: "CLAWDINATOR-2", instance: "i-1", epoch: 7 }],
      cost: { onceUsd: 0.02, monthlyUsd: 15.18, note: "prices of 2026-11" },
      warnings: [],
      policy: {
        commit: "c".repeat(40),
        digest: "p".repeat(64),
        rule: { mode: "approve", quorum: 2, expiresHours: 24 },
      },
      createdAt: 0,
      expiresAt: 86_400_000,
      nonce: "n",
      ...plan,
    },
    ...more,
  };
}

test("a card says what changes, on what, at what cost, until when and for which digest", () => {
  expect(renderCard(approvalOf(), context).content).toBe(
    [
      "### 🟠 Waits for approval: instance\\_replace",
      "**replace CLAWDINATOR-2**",
      "Asked by Ada.",
      "- `nix/instances.json › CLAWDINATOR-2 › revision`: `eeeeeeeeeeee` → `ffffffffffff`",
      "Targets: `CLAWDINATOR-2` (epoch 7)",
      "Cost: $0.02 once, $15.18 a month (prices of 2026-11)",
      "Approvals: 0 of 2",
      "Expires <t:86400:R> · `ap-0123456789ab` · digest `dddddddddddd`",
    ].join("\n"),
  );
});

test("the influence of public text stands above the changes, with where it came from", () => {
  const sources = ["https://example.org/issue", "memory notes.md", "`a` [b](c)", "d"];
  const { proposer } = approvalOf().plan;
  const influenced = { ...proposer, influencedByPublicText: true, publicSources: sources };
  const { content } = renderCard(approvalOf({ proposer: influenced }), context);
  expect(content).toContain(
    "⚠️ **Influenced by public text**, from `https://example.org/issue`, `memory notes.md`, `'a' [b](c)` and 1 more.",
  );
  expect(content.indexOf("Influenced")).toBeLessThan(content.indexOf("instances.json"));
});

test("any plan fits into a message, and the rest is in the file", () => {
  const changes = Array.from({ length: 300 }, (_, n) => ({
    what: `file-${n} ${hostile}`,
    before: hostile,
    after: "x".repeat(9_000),
  }));
  const long = "*`<@#".repeat(2_000);
  const plan = {
    summary: long,
    changes,
    warnings: Array.from({ length: 40 }, () => long),
    targets: Array.from({ length: 200 }, (_, n) => ({ name: `CLAWDINATOR-${n}`, instance: null, epoch: n })),
    cost: { onceUsd: 1.123456789, monthlyUsd: 1e9, note: long },
    proposer: {
      ...approvalOf().plan.proposer,
      name: long,
      influencedByPublicText: true,
      publicSources: Array(20).fill(long),
    },
  };
  const votes = Array.from({ length: 50 }, () => ({
    maintainer: "1",
    name: long,
    surface: "console --as, by maintainer 12345678901234567890",
    decision: "approve" as const,
    counts: false,
    note: long,
    at: 0,
  }));
  for (const state of ["pending", "approved", "executed", "rejected", "expired", "superseded"] as const) {
    const approval = approvalOf(plan, { state, votes, reason: long, operation: long, supersededBy: "ap-ffffffffffff" });
    const { content, components } = renderCard(approval, {
      ...context,
      successor: "https://discord.com/channels/1/2/3",
    });
    expect(content.length).toBeLessThanOrEqual(2_000);
    expect(content).toContain("ap-0123456789ab");
    expect(content).toMatch(/file-0[\s\S]*more/);
    expect(components).toHaveLength(state === "pending" ? 1 : 0);
    expect(renderDetails(approval).content.length).toBeLessThanOrEqual(2_000);
    expect(planText(approval)).toContain("file-299");
  }
});

test("text from elsewhere cannot fake a card, format, link, ping or turn the direction of writing", () => {
  const { proposer } = approvalOf().plan;
  const plan = {
    summary: hostile,
    changes: [{ what: hostile, before: hostile, after: { a: hostile } }],
    warnings: [hostile],
    targets: [{ name: hostile, instance: null, epoch: null }],
    proposer: { ...proposer, name: hostile, publicSources: [hostile] },
    cost: { onceUsd: 0, monthlyUsd: 0, note: hostile },
  };
  const { content } = renderCard(approvalOf(plan), context);
  expect(content.split("\n").filter((line) => line.startsWith("#"))).toHaveLength(1);
  expect(content).not.toContain("\u202e");
  // Outside of code, every mark of Markdown that is not the card's own is escaped.
  const outside = content.replace(/`[^`\n]*`/g, "");
  expect(outside).not.toMatch(/(?<!\\)@|(?<!\\)<@|(?<!\\)\[ok|https:\/\/|(?<!\\)\|/);
  expect(plain("https://evil.example/a_b")).toBe("https\\://evil.example/a\\_b");
  expect(plain("- item")).toBe("\\- item");
  expect(plain("1. first")).toBe("1\\. first");
  expect(code("a`b\nc")).toBe("`a'b c`");
  expect(oneLine("a\u0000\u200b\u2066b\u3164 \n c")).toBe("ab c");
  expect(planText(approvalOf(plan))).not.toContain("\u202e");
});

test("what is cut stays within its room and ends in an ellipsis", () => {
  expect(plain("****", 5)).toBe("\\*\\*…");
  expect(plain("****", 8)).toBe("\\*\\*\\*\\*");
  expect(plain("😀😀😀", 4)).toBe("😀…");
  expect(fitting(["aaa", "bbb", "ccc"], { most: 9, rest: (left) => `+${left}` })).toEqual({ text: "aaa\n+2", left: 2 });
  expect(fitting([], { most: 9, rest: String })).toEqual({ text: "", left: 0 });
});
