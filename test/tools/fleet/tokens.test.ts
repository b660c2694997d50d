import { expect, test } from "vitest";
import type { DesiredState } from "../../../tools/fleet/model.ts";
import { planToken, type TokenSecret, tokenSecretOf } from "../../../tools/fleet/tokens.ts";
import type { Store } from "../../../tools/store.ts";

const entry = (tokenSecret: string | null) => ({
  host: "local",
  type: "process",
  revision: "checkout" as const,
  tokenSecret,
});

function desired(tokens: Record<string, string | null>): DesiredState {
  const instances = Object.fromEntries(Object.entries(tokens).map(([name, secret]) => [name, entry(secret)]));
  return { formatVersion: 1, instances };
}

const shared = (...names: string[]): TokenSecret[] => names.map((name) => ({ name, instance: null }));
const plan = (name: string, secrets: TokenSecret[], tokens: Record<string, string | null>) =>
  planToken({ list: async () => secrets }, { name, desired: desired(tokens) });

test("without a chat nobody needs a token", async () => {
  expect(await planToken(null, { name: "CLAWDINATOR-2", desired: desired({}) })).toBeNull();
});

test("a name gets the first token that no other name has", async () => {
  const secrets = shared("discord-token-10", "discord-token", "discord-token-2", "openai-api-key");
  expect(await plan("CLAWDINATOR-2", secrets, { "CLAWDINATOR-1": null })).toBe("discord-token-2");
  expect(await plan("CLAWDINATOR-3", secrets, { "CLAWDINATOR-1": null, "CLAWDINATOR-2": "discord-token-2" })).toBe(
    "discord-token-10",
  );
});

test("a name keeps the token that it had, and one that is kept for it goes first", async () => {
  const secrets = shared("discord-token", "discord-token-2", "discord-token-3");
  const tokens = { "CLAWDINATOR-1": null, "CLAWDINATOR-2": "discord-token-3" };
  expect(await plan("CLAWDINATOR-2", secrets, tokens)).toBe("discord-token-3");
  const own = [...shared("discord-token"), { name: "discord-token", instance: "CLAWDINATOR-2" }];
  expect(await plan("CLAWDINATOR-2", own, { "CLAWDINATOR-1": null })).toBe("discord-token");
  // Its own does not take the shared one from others.
  expect(await plan("CLAWDINATOR-3", own, { "CLAWDINATOR-2": "discord-token" })).toBe("discord-token");
});

test("a launch without a free token is refused, with who has which and what to do", async () => {
  await expect(
    plan("CLAWDINATOR-3", shared("discord-token", "discord-token-2"), {
      "CLAWDINATOR-1": null,
      "CLAWDINATOR-2": "discord-token-2",
    }),
  ).rejects.toMatchObject({
    code: "no_free_token",
    message:
      "there is no free Discord token for CLAWDINATOR-3: discord-token is CLAWDINATOR-1's, discord-token-2 is CLAWDINATOR-2's",
    hint: expect.stringContaining("clawdinator secrets put discord-token-3"),
  });
  await expect(plan("CLAWDINATOR-2", [], {})).rejects.toMatchObject({
    message: expect.stringContaining("no token is stored"),
    hint: expect.stringContaining("secrets put discord-token"),
  });
});

test("a candidate reads the token that its launch assigned, until the desired state says which", async () => {
  const records = new Map<string, { secret: string }>();
  const store = { get: async (key: string) => ({ value: records.get(key) }) } as unknown as Store;
  const fleet = { store, desired: async () => desired({ "CLAWDINATOR-2": "discord-token-2" }) };
  records.set("fleet/tokens/CLAWDINATOR-2", { secret: "discord-token-9" });
  records.set("fleet/tokens/CLAWDINATOR-3", { secret: "discord-token-3" });
  const found = await Promise.all([1, 2, 3].map((n) => tokenSecretOf(fleet, `CLAWDINATOR-${n}`)));
  expect(found).toEqual([null, "discord-token-2", "discord-token-3"]);
});
