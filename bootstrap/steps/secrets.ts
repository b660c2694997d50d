/** Secrets into Secrets Manager: from files, or typed without echo. What is there stays. */
import { readFile } from "node:fs/promises";
import { ConfigError } from "../../tools/errors.ts";
import { aws, awsErrorCode } from "../../tools/fleet/aws/errors.ts";
import { createAwsSecrets } from "../../tools/fleet/aws/secrets.ts";
import { awsSettingsSchema } from "../../tools/fleet/aws/settings.ts";
import { ownedFilters } from "../../tools/fleet/aws/tags.ts";
import { type KnownSecret, knownSecrets, normalizeSecret, type SecretStore } from "../../tools/secrets/secrets.ts";
import type { BootstrapContext, BootstrapStep } from "../step.ts";

/** Secrets Manager keeps what is deleted for this long; it can be brought back until then. */
const recoveryDays = 7;
/** Secrets Manager lists at most this many a call. */
const pageSize = 100;

export const secrets: BootstrapStep = {
  name: "secrets",
  title: "secrets",
  describe: ({ options }) => {
    const given = [...options.secrets.keys()];
    const asked = knownSecrets.map(({ name }) => name).filter((name) => !given.includes(name));
    const files = given.length > 0 ? `from files: ${given.join(", ")}; ` : "";
    return `store secrets in Secrets Manager (${files}asked for: ${asked.join(", ") || "none"}); those that exist are kept, all may be left out`;
  },

  async isDone(context) {
    const store = storeOf(context);
    const present = new Set((await store.list()).filter(({ instance }) => instance === null).map(({ name }) => name));
    const wanted = [
      ...context.options.secrets.keys(),
      ...knownSecrets.filter((one) => !one.isOptional).map((one) => one.name),
    ];
    if (wanted.every((name) => present.has(name))) return true;
    // Left out on purpose once, not asked for again and again.
    const isDecided = context.journal.read().steps.secrets?.state === "done";
    return isDecided && [...context.options.secrets.keys()].every((name) => present.has(name));
  },

  async run(context) {
    const { options, speaker, redactor } = context;
    const store = storeOf(context);
    const present = new Set((await store.list()).filter(({ instance }) => instance === null).map(({ name }) => name));
    const stored: string[] = [];
    const missing: string[] = [];
    const others = [...options.secrets.keys()].filter((name) => !knownSecrets.some((known) => known.name === name));
    const all: KnownSecret[] = [
      ...knownSecrets,
      ...others.map((name) => ({ name, meaning: "secret of your own", isOptional: true, variable: "" })),
    ];
    for (const known of all) {
      if (present.has(known.name)) {
        speaker.say(
          "note",
          `${known.name} is there and stays; \`clawdinator secrets rotate ${known.name}\` changes it`,
        );
        continue;
      }
      const text = await readValue(context, known);
      if (text === null) {
        if (!known.isOptional) missing.push(known.name);
        continue;
      }
      redactor.hide(text);
      const value = normalizeSecret(known.name, text);
      redactor.hide(value);
      await store.put({ name: known.name, instance: null }, value);
      stored.push(known.name);
      speaker.say("progress", `${known.name} is stored`);
    }
    if (missing.length > 0) {
      speaker.say(
        "warning",
        `without ${missing.join(", ")} the instance starts and understands typed commands only; later: \`clawdinator bootstrap --only secrets\``,
      );
    }
    return { stored, missing };
  },

  list: async (context) => (await ownedSecrets(context)).map((name) => `secret ${name}`),

  async undo(context) {
    const [sdk, client] = await Promise.all([
      import("@aws-sdk/client-secrets-manager"),
      context.clients.secretsManager(),
    ]);
    for (const name of await ownedSecrets(context)) {
      try {
        await client.send(new sdk.DeleteSecretCommand({ SecretId: name, RecoveryWindowInDays: recoveryDays }));
      } catch (error) {
        if (awsErrorCode(error) !== "ResourceNotFoundException")
          await aws(`deleting the secret ${name}`, () => Promise.reject(error));
      }
      context.speaker.say("progress", `secret ${name} will be gone in ${recoveryDays} days`);
    }
  },
};

function storeOf({ clients, options }: BootstrapContext): SecretStore {
  const { visibilitySeconds } = awsSettingsSchema.parse({ bucket: "unused" });
  return createAwsSecrets({ clients, settings: { region: options.region, fleet: options.fleet, visibilitySeconds } });
}

/** The value as the user gives it; null where they leave it out. */
async function readValue(context: BootstrapContext, known: KnownSecret): Promise<string | null> {
  const { options, prompt, speaker } = context;
  const file = options.secrets.get(known.name);
  if (file) return readSecretFile(known.name, file);
  if (!prompt.isPossible) return null;
  const optional = known.isOptional ? "optional; " : "";
  if (known.name.endsWith("-pem")) {
    const path = await prompt.ask(`    ${known.meaning} (${optional}path of the .pem file, Enter leaves it out): `);
    return path === "" ? null : readSecretFile(known.name, path);
  }
  const value = await prompt.askHidden(`    ${known.meaning} (${optional}not shown, Enter leaves it out): `);
  if (value === "") speaker.say("note", `${known.name} is left out`);
  return value === "" ? null : value;
}

async function readSecretFile(name: string, file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new ConfigError(`cannot read the file for ${name}: ${(cause as Error).message}`, {
      code: "secret_unreadable",
      hint: `give a file that you can read: --secret ${name}=FILE`,
      cause,
    });
  }
}

/** Names of this fleet's secrets that are not being deleted. */
async function ownedSecrets({ clients, options }: BootstrapContext): Promise<string[]> {
  const [sdk, client] = await Promise.all([import("@aws-sdk/client-secrets-manager"), clients.secretsManager()]);
  const wanted = ownedFilters(options.fleet).map(({ Name, Values }) => ({
    key: Name.slice("tag:".length),
    value: Values[0],
  }));
  const names: string[] = [];
  let NextToken: string | undefined;
  do {
    const page = await aws("listing the secrets", () =>
      client.send(new sdk.ListSecretsCommand({ MaxResults: pageSize, NextToken })),
    );
    for (const { Name, Tags = [], DeletedDate } of page.SecretList ?? []) {
      const isOurs = wanted.every(({ key, value }) => Tags.some((tag) => tag.Key === key && tag.Value === value));
      if (Name && isOurs && !DeletedDate) names.push(Name);
    }
    NextToken = page.NextToken;
  } while (NextToken);
  return names.sort();
}
