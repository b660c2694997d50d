/** Where this fleet's secrets are kept, and changing them with everything that belongs to it. */
import { ConfigError, describeError, ToolError } from "../../tools/errors.ts";
import type { AwsClients } from "../../tools/fleet/aws/clients.ts";
import { announceSecret, readHolders, type Uptake, uptakeOf } from "../../tools/secrets/changes.ts";
import {
  noPrevious,
  type SecretInfo,
  type SecretRef,
  type SecretStore,
  secretPath,
  withoutValue,
} from "../../tools/secrets/secrets.ts";
import type { Store } from "../../tools/store.ts";
import type { Config } from "../config.ts";
import { secretsDirectory } from "../secret-files.ts";
import type { AuditLog } from "./audit.ts";

/** Opens it; the cloud's code is loaded only where it is used. `clients`: the gateway's own, else it makes some. */
export async function openSecrets(options: {
  config: Pick<Config, "provider" | "aws" | "secrets">;
  home: string;
  environment: NodeJS.ProcessEnv;
  clients?: AwsClients | null;
}): Promise<SecretStore> {
  const { config, home, environment } = options;
  if (config.provider !== "aws") {
    const { openLocalSecrets } = await import("../../tools/secrets/local.ts");
    return openLocalSecrets({ directory: secretsDirectory(config, home), environment });
  }
  if (!config.aws) {
    throw new ConfigError("`provider: aws` lacks its settings", {
      code: "config_invalid",
      hint: "set `aws.bucket` and `aws.region`, outputs of the stack in tofu/",
    });
  }
  const [{ createAwsClients }, { createAwsSecrets }] = await Promise.all([
    import("../../tools/fleet/aws/clients.ts"),
    import("../../tools/fleet/aws/secrets.ts"),
  ]);
  const clients = options.clients ?? createAwsClients({ region: config.aws.region, environment });
  return createAwsSecrets({ clients, settings: config.aws });
}

export type SecretAction = "put" | "rotate" | "confirm" | "undo";

export interface SecretOutcome {
  secret: SecretInfo;
  action: SecretAction;
  /** False when everything was as it was asked to be. */
  changed: boolean;
  /** Which running instances have it; null where the fleet cannot be asked. */
  uptake: Uptake[] | null;
}

export interface ListedSecret extends SecretInfo {
  uptake: Uptake[] | null;
}

export interface SecretsView {
  place: string;
  secrets: ListedSecret[];
  cost: { monthlyUsd: number; note: string };
}

export interface SecretsDesk {
  list(): Promise<SecretsView>;
  /** `value` for put and rotate. Safe to repeat. */
  act(
    request: SecretRef & { action: SecretAction; value: string | null },
    actor: { actor: string; surface: string },
  ): Promise<SecretOutcome>;
}

/** `fleet`: the coordination store and what hangs on it; null where there is none yet, before the first start. */
export function createSecretsDesk(options: {
  secrets: SecretStore;
  fleet: { store: Store; audit: AuditLog } | null;
}): SecretsDesk {
  const { secrets, fleet } = options;

  const uptakes = async (infos: readonly SecretInfo[]): Promise<(Uptake[] | null)[]> => {
    if (!fleet) return infos.map(() => null);
    const holders = await readHolders(fleet.store);
    const isTaken = secrets.kind === "local";
    return infos.map((info) => {
      const found = uptakeOf(info, holders);
      // Files of this machine are read where they lie, each time they are needed.
      return isTaken ? found.map((one) => ({ ...one, state: "taken" })) : found;
    });
  };
  const uptake = async (info: SecretInfo): Promise<Uptake[] | null> => (await uptakes([info]))[0] ?? null;

  const infoOf = async (ref: SecretRef): Promise<SecretInfo | null> =>
    (await secrets.list()).find((info) => secretPath(info) === secretPath(ref)) ?? null;

  const needValue = (value: string | null): string => {
    if (value !== null) return value;
    throw new ToolError("a value is needed", { code: "secret_malformed", hint: "send `value` with put and rotate" });
  };

  const change = async (
    ref: SecretRef,
    action: SecretAction,
    value: string | null,
  ): Promise<{ info: SecretInfo; changed: boolean }> => {
    if (action === "undo") return { info: await secrets.restore(ref), changed: true };
    if (action !== "confirm") return secrets.put(ref, needValue(value), { mustExist: action === "rotate" });
    const info = await infoOf(ref);
    if (!info) throw noPrevious(ref);
    const waiting = ((await uptake(info)) ?? []).filter(({ state }) => state === "waiting" || state === "unknown");
    if (waiting.length > 0) {
      throw new ToolError(
        `${secretPath(ref)} is not taken up yet by ${waiting.map(({ name }) => name).join(", ")}; its previous value is kept`,
        { code: "not_taken_up", hint: "look again in some minutes: `clawdinator secrets list`" },
      );
    }
    return { info, changed: await secrets.confirm(ref) };
  };

  return {
    async list() {
      const infos = await secrets.list();
      const taken = await uptakes(infos);
      const listed = infos.map((info, index) => ({ ...info, uptake: taken[index] ?? null }));
      const { monthlyUsdEach, note } = secrets.cost;
      const monthlyUsd = Math.round(monthlyUsdEach * infos.length * 100) / 100;
      return { place: secrets.place, secrets: listed, cost: { monthlyUsd, note } };
    },

    async act({ action, value, name, instance }, actor) {
      const ref = { name, instance };
      const work = (): ReturnType<typeof change> => change(ref, action, value);
      const { info, changed } = await (value === null ? work() : withoutValue(value, work));
      // What was put already is told again, since the attempt that put it may have ended there.
      const isRepeatable = action === "put" || action === "rotate";
      if (fleet && (changed || isRepeatable)) {
        try {
          if (action !== "confirm") await announceSecret(fleet.store, info);
          const entry = {
            ...actor,
            action: `secret.${action}`,
            subject: `secret/${secretPath(ref)}`,
            detail: `version ${info.version} in ${secrets.place}`,
          };
          await fleet.audit.write(
            entry,
            isRepeatable ? { once: `secret/${secretPath(ref)}/${action}/${info.version}` } : {},
          );
        } catch (cause) {
          throw new ToolError(
            `${secretPath(ref)} is stored as version ${info.version}, and could not be announced and recorded: ${describeError(cause).message}`,
            {
              code: "not_announced",
              hint: "do the same again, which only does what is missing; instances find it by themselves in some minutes",
              cause,
            },
          );
        }
      }
      return { secret: info, action, changed, uptake: await uptake(info) };
    },
  };
}
