import { expect, test } from "vitest";
import { isSensitive, type Policy, parsePolicy, policyDigest, ruleFor } from "../../tools/policy.ts";

function policy(rest: object = {}): Policy {
  const base = { formatVersion: 1, approvers: ["1"], operations: {}, budgets: { usdPerDay: 1, usdPerRun: 1 } };
  return parsePolicy(JSON.stringify({ ...base, ...rest }), "policy.json");
}

test("a policy that says nothing of it has the default list, and the digest that it always had", () => {
  for (const operation of ["policy_change", "github_land", "publish", "secret_put", "secrets_rotate"]) {
    expect([operation, isSensitive(policy(), operation)]).toEqual([operation, true]);
  }
  for (const operation of ["instance_launch", "github_comment", "image_build"]) {
    expect([operation, isSensitive(policy(), operation)]).toEqual([operation, false]);
  }
  expect(policy()).not.toHaveProperty("sensitive");
  expect(policyDigest(policy())).not.toBe(policyDigest(policy({ sensitive: [] })));
});

test("a policy's own list takes the place of the default", () => {
  const own = policy({ sensitive: ["instance_*", "code"] });
  const names = ["instance_launch", "instance_retire", "code", "code_review", "policy_change", "instance"];
  expect(names.filter((name) => isSensitive(own, name))).toEqual(["instance_launch", "instance_retire", "code"]);
});

test.each([["*"], ["a*b"], ["Policy_change"], ["policy-change"], [""]])("%j is no name of operations", (name) => {
  expect(() => policy({ sensitive: [name] })).toThrow(/sensitive\.0/);
});

test("auto does not hold after public text, but where the rule says so", () => {
  const auto = { mode: "auto", expiresHours: 2 };
  const own = policy({
    operations: { a: auto, b: { ...auto, autoAfterPublicText: true }, c: { mode: "deny" }, d: { mode: "approve" } },
  });
  const after = (operation: string) => ruleFor(own, operation, { afterPublicText: true });
  expect(after("a")).toEqual({ mode: "approve", quorum: 1, expiresHours: 2 });
  expect(after("b")).toEqual({ mode: "auto", quorum: 0, expiresHours: 2 });
  for (const operation of ["c", "d", "unheard_of"]) expect(after(operation)).toEqual(ruleFor(own, operation));
  expect(ruleFor(own, "a")).toMatchObject({ mode: "auto" });
});
