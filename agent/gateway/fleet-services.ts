/** What fleet operations need, put together from the store, the provider and the fleet repository. */
import { changeDesired, readDesired } from "../../tools/fleet/desired.ts";
import { findInstanceDrift, findRepositoryDrift, type ProviderFacts } from "../../tools/fleet/drift.ts";
import type { DesiredState, FleetDrift, FleetStatus } from "../../tools/fleet/model.ts";
import { readFleet } from "../../tools/fleet/read-fleet.ts";
import type { FleetProvider, FleetRepository, FleetServices } from "../../tools/fleet/services.ts";
import type { TokenPool } from "../../tools/fleet/tokens.ts";
import { formatPolicy } from "../../tools/policy.ts";
import { readPolicy } from "../../tools/policy-pin.ts";
import type { Store } from "../../tools/store.ts";
import type { AuditLog } from "./audit.ts";

export function createFleetServices(options: {
  store: Store;
  provider: FleetProvider;
  repository: FleetRepository;
  audit: AuditLog;
  host: string;
  self: () => FleetServices["self"];
  settings: FleetServices["settings"];
  tokens?: TokenPool | null;
}): FleetServices {
  const { store, provider, repository, audit } = options;

  const observe = (): Promise<FleetStatus> =>
    readFleet({
      store,
      self: { name: options.self().name, instance: options.self().instance },
      host: options.host,
      list: () => provider.list(),
    });

  /** Images are derived, not built; one whose commit cannot be found any more is left out. */
  const providerFacts = async (desired: DesiredState): Promise<ProviderFacts> => {
    const revisions = new Set(Object.values(desired.instances).map((entry) => entry.revision));
    revisions.delete("checkout");
    const images = new Map<string, string>();
    for (const revision of revisions) {
      const derived = await provider.deriveImage(revision).catch(() => null);
      if (derived) images.set(revision, derived.id);
    }
    return { host: provider.kind, type: provider.instanceType, images };
  };

  return {
    store,
    provider,
    repository,
    settings: options.settings,
    tokens: options.tokens ?? null,
    monthlyBudgetUsd: async () => (await readPolicy(store)).policy.budgets.usdPerMonth ?? null,
    get self() {
      return options.self();
    },
    desired: async () => (await readDesired(store)).state,
    setDesired: (change, commit) => changeDesired(store, change, commit),

    status: observe,

    async drift(): Promise<FleetDrift> {
      const [desired, status, policy] = [(await readDesired(store)).state, await observe(), await readPolicy(store)];
      const inRepository = await findRepositoryDrift({ repository, desired, policyText: formatPolicy(policy.policy) });
      return {
        at: await store.now(),
        items: [...findInstanceDrift(desired, status, await providerFacts(desired)), ...inRepository],
      };
    },

    async audit({ once, ...entry }) {
      const { instance } = options.self();
      await audit.write({ ...entry, actor: `instance:${instance}`, surface: instance }, { once });
    },
  };
}
