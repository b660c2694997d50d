/** The policies as documents: explained, bounded, within AWS' limits. */
import { beforeAll, expect, test } from "vitest";
import { policyCharacters } from "../support/policy.ts";
import { inlineInstancePolicies, instancePolicies, stackPolicy } from "../support/stack-policies.ts";
import { blocksOf, readStack, type Stack } from "../support/tofu.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await readStack();
});

const documentNames = (): string[] => Object.keys(stack.data.aws_iam_policy_document ?? {});

test("every statement has a comment that says why, and a Sid of its own", () => {
  const count = { statements: 0, explained: 0 };
  for (const text of Object.values(stack.texts)) {
    const lines = text.split("\n");
    for (const [index, line] of lines.entries()) {
      if (line !== "  statement {") continue;
      count.statements++;
      if (lines[index - 1]?.startsWith("  # ")) count.explained++;
      else expect.unreachable(`no comment above: ${lines.slice(index, index + 2).join(" ")}`);
    }
  }
  expect(count.explained).toBe(count.statements);
  for (const name of documentNames()) {
    const block = stack.data.aws_iam_policy_document?.[name]?.[0];
    const sids = blocksOf(block, "statement").map((statement) => String(statement.sid ?? ""));
    for (const sid of sids) expect(sid, name).toMatch(/^[A-Z][A-Za-z0-9]+$/);
    expect(new Set(sids).size).toBe(sids.length);
  }
});

/** Actions that AWS lets nobody limit to a resource, or that only look. */
const unlimited = [
  /^ec2:Describe/,
  /^elasticfilesystem:Describe/,
  /^ssm:(UpdateInstanceInformation|GetCommandInvocation|ListCommands|ListCommandInvocations|CancelCommand|DescribeInstanceInformation)$/,
  /^(ssmmessages|ec2messages):/,
];

test("no role has an action with a wildcard or may change just anything", () => {
  const granted = [...instancePolicies(stack), ...instancePolicies(stack, "CLAWDINATOR-1"), stackPolicy(stack, "ci")];
  for (const { Statement } of granted) {
    for (const statement of Statement) {
      expect(statement.Effect).toBe("Allow");
      for (const action of statement.Action) expect(action).not.toContain("*");
      if (!statement.Resource?.includes("*")) continue;
      for (const action of statement.Action)
        expect(
          unlimited.some((pattern) => pattern.test(action)),
          `${statement.Sid}: ${action}`,
        ).toBe(true);
    }
  }
});

test("no role may touch IAM, but for handing its own kind of role to EC2 or VM Import", () => {
  for (const { Statement } of [...instancePolicies(stack), stackPolicy(stack, "ci")]) {
    const identity = Statement.filter(({ Action }) =>
      Action.some((action) => /^(iam|sts|kms|organizations):/.test(action)),
    );
    for (const statement of identity) {
      expect(statement.Action).toEqual(["iam:PassRole"]);
      // Roles of names begin with the stack's own name and the names' form.
      for (const role of statement.Resource ?? []) expect(role).toMatch(/^[^*]+(-instance-CLAWDINATOR-\*)?$/);
      expect(statement.Condition?.StringEquals).toHaveProperty("iam:PassedToService");
    }
  }
});

test("the documents fit AWS' limits, with the longest names and the most zones that there are", () => {
  const longest = {
    "var.fleet": "f".repeat(31),
    "local.launch_network_arns": Array.from({ length: 10 }, () => "x".repeat(90)),
    "local.shared_secret_arns": Array.from({ length: 8 }, () => "x".repeat(100)),
  };
  const inline = (name: string | null): number =>
    inlineInstancePolicies(stack, name, longest).reduce((sum, document) => sum + policyCharacters(document), 0);
  expect(inline(null)).toBeLessThan(10_240);
  expect(inline("CLAWDINATOR-1000")).toBeLessThan(10_240);
  for (const managed of ["instance_images", "ci"])
    expect(policyCharacters(stackPolicy(stack, managed, longest)), managed).toBeLessThan(6_144);
});

test("CI's role is taken by workflows of one branch of one repository", () => {
  const [trust] = stackPolicy(stack, "ci_trust").Statement;
  expect(trust?.Condition?.StringEquals).toEqual({
    "token.actions.githubusercontent.com:aud": ["sts.amazonaws.com"],
    "token.actions.githubusercontent.com:sub": ["repo:someone/fleet:ref:refs/heads/main"],
  });
});
