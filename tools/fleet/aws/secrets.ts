/**
 * Secrets in Secrets Manager: `clawdinator/<secret>` for all, `clawdinator/<instance>/<secret>` for one. Its staging
 * labels are the versions' roles: AWSCURRENT is read, AWSPREVIOUS is the value before.
 */
import { randomUUID } from "node:crypto";
import type { DescribeSecretResponse } from "@aws-sdk/client-secrets-manager";
import { isKnownError, ProviderError, ToolError } from "../../errors.ts";
import {
  compareSecrets,
  deniedCode,
  noPrevious,
  type SecretInfo,
  type SecretPut,
  type SecretRef,
  type SecretStore,
  secretsOf,
  withoutValue,
} from "../../secrets/secrets.ts";
import type { AwsClients } from "./clients.ts";
import { aws, awsErrorCode, isNotFound } from "./errors.ts";
import { poll } from "./poll.ts";
import { pricesDate, pricesOf } from "./prices.ts";
import { requireOwnSecret, secretId, secretPrefix, toSecretInfo } from "./secret-record.ts";
import type { AwsSettings } from "./settings.ts";
import { nameTag, ownedBy, toEc2Tags } from "./tags.ts";

/** As `aws`; a refusal says who may do it instead. */
async function call<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await aws(what, work);
  } catch (error) {
    if (awsErrorCode(causeOf(error)) !== "AccessDeniedException") throw error;
    throw new ProviderError(`${what} is not allowed to these credentials`, {
      code: deniedCode,
      hint: "instances only read what is theirs: use a maintainer's credentials, with `--config` on their own machine; docs/deploy.md, “Permissions”, lists the rest",
      cause: causeOf(error),
    });
  }
}

export function createAwsSecrets(options: {
  clients: AwsClients;
  settings: Pick<AwsSettings, "region" | "fleet" | "visibilitySeconds">;
}): SecretStore {
  const { clients, settings } = options;
  /** A role that reads its own secrets only may not list all of the account's. */
  let mayList = true;

  const load = async () => ({
    sdk: await import("@aws-sdk/client-secrets-manager"),
    client: await clients.secretsManager(),
  });

  const describe = async (ref: SecretRef): Promise<DescribeSecretResponse | null> => {
    const { sdk, client } = await load();
    const command = new sdk.DescribeSecretCommand({ SecretId: secretId(ref) });
    return nullIfMissing(() => call(`looking at the secret ${secretId(ref)}`, () => client.send(command)));
  };

  const infoOf = async (ref: SecretRef): Promise<SecretInfo | null> => {
    const described = await describe(ref);
    return described && toSecretInfo(described);
  };

  const list = async (): Promise<SecretInfo[]> => {
    const { sdk, client } = await load();
    const found: SecretInfo[] = [];
    let NextToken: string | undefined;
    do {
      const command = new sdk.ListSecretsCommand({
        Filters: [{ Key: "name", Values: [secretPrefix] }],
        MaxResults: 100,
        NextToken,
      });
      const page = await call("listing the secrets", () => client.send(command));
      found.push(...(page.SecretList ?? []).map(toSecretInfo).filter((info) => info !== null));
      NextToken = page.NextToken;
    } while (NextToken);
    return found.sort(compareSecrets);
  };

  const readValue = async (ref: SecretRef): Promise<{ value: string; version: string; createdAt: number } | null> => {
    const { sdk, client } = await load();
    const command = new sdk.GetSecretValueCommand({ SecretId: secretId(ref), VersionStage: "AWSCURRENT" });
    const found = await nullIfMissing(async () => {
      try {
        return await call(`reading the secret ${secretId(ref)}`, () => client.send(command));
      } catch (error) {
        // It waits to be deleted: for readers it is gone.
        if (awsErrorCode(causeOf(error)) === "InvalidRequestException" && (await describe(ref))?.DeletedDate)
          return null;
        throw error;
      }
    });
    if (!found) return null;
    const value = found.SecretString ?? Buffer.from(found.SecretBinary ?? []).toString("utf8");
    return { value, version: found.VersionId ?? "", createdAt: found.CreatedDate?.getTime() ?? 0 };
  };

  /** What describes exists may not yet be found by another call, and the other way round. */
  const whenVisible = async <T>(work: () => Promise<T>): Promise<T> => {
    let last: unknown;
    const found = await poll({
      timeoutMs: settings.visibilitySeconds * 1000,
      check: async () => {
        try {
          return { answer: await work() };
        } catch (error) {
          if (!isNotFound(causeOf(error))) throw error;
          last = error;
          return null;
        }
      },
    });
    if (!found) throw last;
    return found.answer;
  };

  /** The new version's id. Its token makes an attempt that is repeated by the SDK the same one. */
  const create = async (ref: SecretRef, value: string, token: string): Promise<string | null> => {
    const { sdk, client } = await load();
    const tags = { ...ownedBy(settings.fleet), ...(ref.instance === null ? {} : { [nameTag]: ref.instance }) };
    try {
      const command = new sdk.CreateSecretCommand({
        Name: secretId(ref),
        Description: `${ref.name} of ${ref.instance ?? `the fleet ${settings.fleet}`}`,
        ClientRequestToken: token,
        SecretString: value,
        Tags: toEc2Tags(tags),
      });
      return (await call(`making the secret ${secretId(ref)}`, () => client.send(command))).VersionId ?? token;
    } catch (error) {
      // Somebody else was faster, or this call's first answer was lost.
      if (awsErrorCode(causeOf(error)) === "ResourceExistsException") return null;
      throw error;
    }
  };

  const addVersion = async (ref: SecretRef, value: string, token: string): Promise<string> => {
    const { sdk, client } = await load();
    const command = new sdk.PutSecretValueCommand({
      SecretId: secretId(ref),
      ClientRequestToken: token,
      SecretString: value,
    });
    const put = await whenVisible(() => call(`changing the secret ${secretId(ref)}`, () => client.send(command)));
    return put.VersionId ?? token;
  };

  const put = async (ref: SecretRef, value: string, mustExist: boolean): Promise<SecretPut> => {
    const existing = await describe(ref);
    if (existing) requireOwnSecret(ref, existing, settings.fleet);
    const before = existing && toSecretInfo(existing);
    if (mustExist && !before) {
      throw new ToolError(`there is no secret ${secretId(ref)} to rotate`, {
        code: "unknown_secret",
        hint: "`clawdinator secrets list` shows what there is; `clawdinator secrets put` makes one",
      });
    }
    if (before && (await readValue(ref))?.value === value) return { info: before, created: false, changed: false };
    const token = randomUUID();
    const created = existing ? null : await create(ref, value, token);
    const version = created ?? (await addVersion(ref, value, token));
    // The answer says what is current now; a description may still be the former one.
    const described = await infoOf(ref);
    const info: SecretInfo =
      described?.version === version
        ? described
        : {
            name: ref.name,
            instance: ref.instance,
            source: "secrets-manager",
            version,
            changedAt: null,
            previous: before?.version ?? null,
          };
    return { info, created: before === null, changed: true };
  };

  return {
    kind: "aws",
    place: `Secrets Manager in ${settings.region} (${secretPrefix}…)`,
    cost: {
      monthlyUsdEach: pricesOf(settings.region).secretMonth,
      note: `list price of Secrets Manager on ${pricesDate}, without requests`,
    },
    list,

    async look({ instance, names }) {
      if (mayList) {
        try {
          return secretsOf(await list(), instance);
        } catch (error) {
          if (!isDenied(error)) throw error;
          mayList = false;
        }
      }
      let denied: unknown = null;
      const refs = names.flatMap((name) => [null, instance].map((one) => ({ name, instance: one })));
      const infos = await Promise.all(
        refs.map((ref) =>
          infoOf(ref).catch((error: unknown) => {
            // A role that is held to existing secrets is told no more than this of one that does not exist.
            if (!isDenied(error)) throw error;
            denied = error;
            return null;
          }),
        ),
      );
      const found = infos.filter((info) => info !== null);
      if (found.length === 0 && denied !== null) throw denied;
      return secretsOf(found, instance);
    },

    async read(ref) {
      const found = await readValue(ref);
      if (!found) return null;
      const { value, version, createdAt } = found;
      const info: SecretInfo = {
        name: ref.name,
        instance: ref.instance,
        source: "secrets-manager",
        version,
        changedAt: createdAt,
        previous: null,
      };
      return { info, value };
    },

    put: (ref, value, { mustExist = false } = {}) => withoutValue(value, () => put(ref, value, mustExist)),

    async confirm(ref) {
      const info = await infoOf(ref);
      if (!info?.previous) return false;
      const { sdk, client } = await load();
      const command = new sdk.UpdateSecretVersionStageCommand({
        SecretId: secretId(ref),
        VersionStage: "AWSPREVIOUS",
        RemoveFromVersionId: info.previous,
      });
      await call(`dropping the previous value of ${secretId(ref)}`, () => client.send(command));
      return true;
    },

    async restore(ref) {
      const info = await infoOf(ref);
      if (!info?.previous) throw noPrevious(ref);
      const { sdk, client } = await load();
      const command = new sdk.UpdateSecretVersionStageCommand({
        SecretId: secretId(ref),
        VersionStage: "AWSCURRENT",
        MoveToVersionId: info.previous,
        RemoveFromVersionId: info.version,
      });
      await call(`bringing back the previous value of ${secretId(ref)}`, () => client.send(command));
      return {
        ...info,
        version: info.previous,
        previous: info.version,
        changedAt: (await infoOf(ref))?.changedAt ?? null,
      };
    },
  };
}

function isDenied(error: unknown): boolean {
  return isKnownError(error) && error.code === deniedCode;
}

/** What the SDK threw, inside our own error. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

async function nullIfMissing<T>(work: () => Promise<T>): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    if (isNotFound(causeOf(error))) return null;
    throw error;
  }
}
