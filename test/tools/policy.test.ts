import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSqliteStore } from "../../agent/gateway/store/sqlite.ts";
import { formatPolicy, highestQuorum, type Policy, parsePolicy, policyDigest, ruleFor } from "../../tools/policy.ts";
import { movePolicyPin, pinFirstPolicy, readPolicy } from "../../tools/policy-pin.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const template = readFileSync(
  join(import.meta.dirname, "..", "..", "nix", "templates", "fleet", "policy.json"),
  "utf8",
);

function policy(change: Partial<Policy> = {}): Policy {
  return {
    formatVersion: 1,
    approvers: ["1", "2"],
    operations: {
      image_build: { mode: "auto", quorum: 1, expiresHours: 24 },
      instance_launch: { mode: "approve", quorum: 1, expiresHours: 12 },
      policy_change: { mode: "approve", quorum: 2, quorumIfAlone: 1, expiresHours: 24 },
      publish: { mode: "deny", quorum: 1, expiresHours: 24 },
    },
    budgets: { usdPerDay: 20, usdPerRun: 2 },
    ...change,
  };
}

function problemsOf(value: unknown): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  try {
    parsePolicy(text, "policy.json");
  } catch (error) {
    expect(error).toMatchObject({ code: "policy_invalid", hint: expect.stringMatching(/./) });
    return (error as Error).message;
  }
  throw new Error("it was accepted");
}

test("the template's policy is valid for one maintainer and for two", () => {
  const alone = parsePolicy(template, "policy.json");
  expect(ruleFor(alone, "policy_change")).toMatchObject({ mode: "approve", quorum: 1 });
  expect(ruleFor(parsePolicy(template.replace('["1"]', '["1", "2"]'), "policy.json"), "policy_change")).toMatchObject({
    quorum: 2,
  });
});

test("every problem of a policy is named at once, with its place", () => {
  const message = problemsOf({
    formatVersion: 1,
    approvers: ["Ada"],
    operations: { image_build: { mode: "perhaps" }, publish: { mode: "approve", quorum: 0, colour: "red" } },
    budgets: { usdPerDay: -1 },
    extra: true,
  });
  for (const part of [
    "policy.json",
    "approvers.0",
    "operations.image_build.mode",
    "operations.publish.quorum",
    "colour",
    "budgets.usdPerDay",
    "budgets.usdPerRun",
    "extra",
  ]) {
    expect(message).toContain(part);
  }
});

test.each([
  ["text that is not JSON", "{approvers", "not JSON"],
  ["a format of the future", { ...policy(), formatVersion: 2 }, "formatVersion"],
  ["no approvers", policy({ approvers: [] }), "approvers"],
  ["names in place of numeric ids", policy({ approvers: ["1", "ada"] }), "numeric id"],
])("%s is refused", (_what, value, part) => {
  expect(problemsOf(value)).toContain(part);
});

test("a quorum that the approvers cannot reach is refused, for every operation that has one", () => {
  const operations: Policy["operations"] = {
    fleet_roll: { mode: "approve", quorum: 3, expiresHours: 1 },
    publish: { mode: "approve", quorum: 4, expiresHours: 1 },
    image_build: { mode: "auto", quorum: 9, expiresHours: 1 },
  };
  const message = problemsOf(policy({ operations }));
  expect(message).toContain("operations.fleet_roll.quorum: needs 3 approvers and there are 2");
  expect(message).toContain("operations.publish.quorum");
  expect(message).not.toContain("image_build");
});

test("an approver who is listed twice is one approver", () => {
  expect(
    problemsOf(
      policy({ approvers: ["1", "1"], operations: { publish: { mode: "approve", quorum: 2, expiresHours: 1 } } }),
    ),
  ).toContain("there is 1");
});

test("quorumIfAlone holds for one approver only", () => {
  expect(ruleFor(policy({ approvers: ["1"] }), "policy_change").quorum).toBe(1);
  expect(ruleFor(policy(), "policy_change").quorum).toBe(2);
  expect(ruleFor(policy({ approvers: ["1", "2", "3"] }), "policy_change").quorum).toBe(2);
});

test("rules say mode, quorum and expiry", () => {
  expect(ruleFor(policy(), "image_build")).toEqual({ mode: "auto", quorum: 0, expiresHours: 24 });
  expect(ruleFor(policy(), "instance_launch")).toEqual({ mode: "approve", quorum: 1, expiresHours: 12 });
  expect(ruleFor(policy(), "publish")).toMatchObject({ mode: "deny" });
});

test.each(["github_land", "constructor", "toString", "__proto__", ""])(
  "an operation that the policy does not name (%j) needs the highest quorum",
  (operation) => {
    expect(ruleFor(policy(), operation)).toEqual({ mode: "approve", quorum: 2, expiresHours: 24 });
  },
);

test("policy_change needs the highest quorum of all operations, even where the policy lets it through", () => {
  const operations: Policy["operations"] = {
    policy_change: { mode: "auto", quorum: 1, expiresHours: 5 },
    fleet_roll: { mode: "approve", quorum: 3, expiresHours: 1 },
  };
  const found = policy({ approvers: ["1", "2", "3"], operations });
  expect(highestQuorum(found)).toBe(3);
  expect(ruleFor(found, "policy_change")).toEqual({ mode: "approve", quorum: 3, expiresHours: 5 });
  expect(
    ruleFor(policy({ operations: { policy_change: { mode: "auto", quorum: 1, expiresHours: 5 } } }), "policy_change"),
  ).toMatchObject({ mode: "approve", quorum: 1 });
  expect(ruleFor(policy({ operations: {} }), "policy_change")).toMatchObject({ mode: "approve", quorum: 1 });
});

test("a policy reads back as it was written, and its digest does not depend on layout", () => {
  const text = formatPolicy(policy());
  expect(parsePolicy(text, "policy.json")).toEqual(policy());
  expect(policyDigest(parsePolicy(JSON.stringify(JSON.parse(text)), "policy.json"))).toBe(policyDigest(policy()));
  expect(policyDigest(policy({ approvers: ["2", "1"] }))).not.toBe(policyDigest(policy()));
});

test("the pin moves only from the policy that the change was approved under, and repeating the move is harmless", async () => {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  try {
    await expect(readPolicy(store)).rejects.toMatchObject({ code: "policy_missing" });
    const [first, second, third] = [
      policy(),
      policy({ approvers: ["1", "2", "3"] }),
      policy({ approvers: ["3"], operations: {} }),
    ].map(formatPolicy);
    const from = policyDigest(policy());
    await pinFirstPolicy(store, { commit: "a".repeat(40), text: first ?? "" });
    await pinFirstPolicy(store, { commit: "b".repeat(40), text: third ?? "" });
    expect(await readPolicy(store)).toMatchObject({ commit: "a".repeat(40), digest: from });
    const move = { from, commit: "c".repeat(40), text: second ?? "" };
    await movePolicyPin(store, move);
    await movePolicyPin(store, move);
    expect((await readPolicy(store)).policy.approvers).toEqual(["1", "2", "3"]);
    await expect(movePolicyPin(store, { from, commit: "d".repeat(40), text: third ?? "" })).rejects.toMatchObject({
      code: "policy_moved",
    });
    await expect(movePolicyPin(store, { from, commit: "d".repeat(40), text: "{}" })).rejects.toMatchObject({
      code: "policy_invalid",
    });
  } finally {
    await store.close();
  }
});

test("a pin whose text does not match its digest is refused", async () => {
  const store = await openSqliteStore({ path: join(temporaryDirectory(), "store.sqlite") });
  try {
    await pinFirstPolicy(store, { commit: "a".repeat(40), text: formatPolicy(policy()) });
    const pin = (await store.get("policy/pin"))?.value as { [key: string]: string };
    await store.put("policy/pin", { ...pin, text: formatPolicy(policy({ approvers: ["7", "8"] })) });
    await expect(readPolicy(store)).rejects.toMatchObject({ code: "policy_tampered" });
  } finally {
    await store.close();
  }
});
