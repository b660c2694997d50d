/** Secrets Manager, against the emulator(). */
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createAwsClients } from "../../../../tools/fleet/aws/clients.ts";
import { createAwsSecrets } from "../../../../tools/fleet/aws/secrets.ts";
import { readSecret } from "../../../../tools/secrets/secrets.ts";
import { emulatorRegion, whyNotRepaired } from "../../../support/aws.ts";
import { shareEmulator } from "../../../support/aws-instances.ts";
import { secretStoreContract } from "../../secrets/contract.ts";

const shared = { name: "anthropic-api-key", instance: null };
const own = { name: "discord-token", instance: "CLAWDINATOR-2" };
const value = "sk-ant-0123456789-not-for-logs";

const emulator = shareEmulator();

beforeEach(async () => {
  emulator().setFaults({});
  await emulator().reset();
});

function open(fleet = "clawdinator") {
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => clients.close());
  return createAwsSecrets({ clients, settings: { region: emulatorRegion, fleet, visibilitySeconds: 10 } });
}

async function raw() {
  const sdk = await import("@aws-sdk/client-secrets-manager");
  const clients = createAwsClients({ region: emulatorRegion });
  onTestFinished(() => clients.close());
  return { sdk, client: await clients.secretsManager() };
}

describe("Secrets Manager", () => {
  secretStoreContract(() => open());

  test("lies under the fleet's prefix, tagged as the fleet's and as the instance's", async () => {
    await open().put(shared, value);
    await open().put(own, value);
    const { sdk, client } = await raw();
    const { SecretList = [] } = await client.send(new sdk.ListSecretsCommand({}));
    const tags = Object.fromEntries(
      SecretList.map(({ Name, Tags }) => [Name, Object.fromEntries((Tags ?? []).map((tag) => [tag.Key, tag.Value]))]),
    );
    expect(tags).toEqual({
      "clawdinator/anthropic-api-key": { clawdinator: "true", "clawdinator:fleet": "clawdinator" },
      "clawdinator/CLAWDINATOR-2/discord-token": {
        clawdinator: "true",
        "clawdinator:fleet": "clawdinator",
        "clawdinator:name": "CLAWDINATOR-2",
      },
    });
  });

  test("lists nothing of others, nor what is being deleted or has no value", async () => {
    const { sdk, client } = await raw();
    for (const Name of ["clawdinator/a/b/c", "clawdinator/Strange", "clawdinator-other/discord-token", "elsewhere"])
      await client.send(new sdk.CreateSecretCommand({ Name, SecretString: "x" }));
    await client.send(new sdk.CreateSecretCommand({ Name: "clawdinator/discord-token" }));
    await open().put(shared, value);
    await client.send(new sdk.DeleteSecretCommand({ SecretId: "clawdinator/anthropic-api-key" }));
    expect(await open().list()).toEqual([]);
    expect(await open().read(shared)).toBeNull();
    await expect(open().put(shared, "again")).rejects.toMatchObject({
      code: "secret_deleted",
      hint: expect.stringContaining("restore-secret"),
    });
  });

  test("gives a value to a secret that was made without one, and keeps off another fleet's", async () => {
    const { sdk, client } = await raw();
    await client.send(new sdk.CreateSecretCommand({ Name: "clawdinator/anthropic-api-key" }));
    expect(await open().put(shared, value)).toMatchObject({ changed: true });
    expect((await open().read(shared))?.value).toBe(value);
    await open("other").put(own, value);
    await expect(open().put(own, "mine")).rejects.toMatchObject({ code: "foreign_secret" });
    expect((await open().read(own))?.value).toBe(value);
  });

  test("costs by the price table", () => {
    expect(open().cost).toEqual({ monthlyUsdEach: 0.4, note: expect.stringContaining("2026") });
  });
});

describe.skipIf(whyNotRepaired())("Secrets Manager that is not well", () => {
  test("a put whose answers are lost is one version, and is made once", async () => {
    emulator().setFaults({
      "secretsmanager:CreateSecret": { late: true, drop: true, times: 1 },
      "secretsmanager:PutSecretValue": { late: true, drop: true, times: 1 },
    });
    await open().put(shared, "first");
    await open().put(shared, value);
    expect((await open().read(shared))?.value).toBe(value);
    const { sdk, client } = await raw();
    const { VersionIdsToStages } = await client.send(
      new sdk.DescribeSecretCommand({ SecretId: "clawdinator/anthropic-api-key" }),
    );
    expect(Object.keys(VersionIdsToStages ?? {})).toHaveLength(2);
  });

  test("is asked again when it throttles", async () => {
    emulator().setFaults({ "secretsmanager:*": { p: 0.3, code: "ThrottlingException", status: 400 } });
    const store = open();
    await store.put(shared, value);
    expect((await store.read(shared))?.value).toBe(value);
    expect(await store.list()).toHaveLength(1);
  });

  test("a secret that was just made and is not visible yet is waited for", async () => {
    await open().put(shared, "first");
    emulator().setFaults({
      "secretsmanager:DescribeSecret": { code: "ResourceNotFoundException", times: 1 },
      "secretsmanager:PutSecretValue": { code: "ResourceNotFoundException", times: 3 },
    });
    // Not found, so it is made; it exists, so it is changed; and that finds it at the fourth attempt.
    expect(await open().put(shared, value)).toMatchObject({ changed: true });
    emulator().setFaults({});
    expect((await open().read(shared))?.value).toBe(value);
  });

  test("expired credentials say how to go on, and never show the value", async () => {
    emulator().setFaults({ "secretsmanager:*": { code: "ExpiredTokenException", status: 403 } });
    const error = await open()
      .put(shared, value)
      .catch((caught: unknown) => caught as Error & { hint: string });
    expect(error).toMatchObject({
      code: "aws_expired_token_exception",
      hint: expect.stringContaining("aws sso login"),
    });
    expect(`${(error as Error).message}${(error as Error).stack}`).not.toContain(value);
  });

  test("says who may change secrets, where these credentials may not", async () => {
    emulator().setFaults({ "secretsmanager:CreateSecret": { code: "AccessDeniedException", status: 400 } });
    await expect(open().put(shared, value)).rejects.toMatchObject({
      code: "secret_denied",
      hint: expect.stringContaining("maintainer's credentials"),
    });
  });

  test("what may not be read is passed over while the shared one is there, and missed where neither is", async () => {
    await open().put({ name: own.name, instance: null }, value);
    const denied = { code: "AccessDeniedException", status: 400 };
    emulator().setFaults({ "secretsmanager:GetSecretValue": { ...denied, times: 1 } });
    const asked = { name: own.name, instance: "CLAWDINATOR-2" };
    expect((await readSecret(open(), asked))?.value).toBe(value);
    emulator().setFaults({ "secretsmanager:GetSecretValue": denied });
    await expect(readSecret(open(), asked)).rejects.toMatchObject({ code: "secret_denied" });
    emulator().setFaults({ "secretsmanager:*": denied });
    await expect(open().look({ instance: "CLAWDINATOR-2", names: [own.name] })).rejects.toMatchObject({
      code: "secret_denied",
    });
  });

  test("a role that may not list is served by names", async () => {
    await open().put(shared, value);
    await open().put({ ...own, name: "openai-api-key" }, value);
    emulator().setFaults({ "secretsmanager:ListSecrets": { code: "AccessDeniedException", status: 400 } });
    const names = ["anthropic-api-key", "discord-token", "openai-api-key"];
    const seen = await open().look({ instance: "CLAWDINATOR-2", names });
    expect([...seen.keys()].sort()).toEqual(["anthropic-api-key", "openai-api-key"]);
  });
});
