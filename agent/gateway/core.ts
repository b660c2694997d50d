/** What a gateway works with, put together from its store, its provider and the fleet repository. */
import { commitAuthor } from "../../tools/fleet/bare-repository.ts";
import type { FleetStatus } from "../../tools/fleet/model.ts";
import type { FleetProvider, FleetRepository, FleetServices } from "../../tools/fleet/services.ts";
import type { TokenPool } from "../../tools/fleet/tokens.ts";
import { type PolicyInForce, readPolicy } from "../../tools/policy-pin.ts";
import type { Store } from "../../tools/store.ts";
import type { FleetPaths } from "../paths.ts";
import type { OperationView } from "../protocol.ts";
import { type Approvals, createApprovals, type Planner } from "./approvals.ts";
import { type AuditLog, createAuditLog } from "./audit.ts";
import type { Backend } from "./backend.ts";
import type { Boot } from "./boot.ts";
import { createFleetServices } from "./fleet-services.ts";
import { programRoot, readCheckout } from "./identity.ts";
import { createInbox, type Inbox } from "./inbox.ts";
import { createLive, type Live } from "./live.ts";
import { createMaintainers, type Maintainers } from "./maintainers.ts";
import { findOperation, planOperation } from "./operation-registry.ts";
import { createOperations, type Operations } from "./operations.ts";
import { createPause, type Pause } from "./pause.ts";
import { openSecrets } from "./secrets.ts";

/** The longest an outside call of a holder may take before the next holder may act. */
export const longestCallMs = 5_000;

export interface Core {
  paths: FleetPaths;
  store: Store;
  audit: AuditLog;
  maintainers: Maintainers;
  pause: Pause;
  repository: FleetRepository;
  provider: FleetProvider;
  fleet: FleetServices;
  /** The fleet with who paused it, for people. */
  status(): Promise<FleetStatus>;
  plan: Planner;
  policy(): Promise<PolicyInForce>;
  approvals: Approvals;
  operations: Operations;
  live: Live;
  inbox: Inbox;
  /** What runs here. A checkout's is known once `programRead` has resolved. */
  program: { revision: string; dirty: boolean };
  programRead: Promise<void>;
  /** Who makes this instance's commits. */
  author: { name: string; email: string };
}

export interface CoreEvents {
  /** Something may be to do. */
  onChange(): void;
  onOperation(operation: OperationView): void;
}

/** What it needs of a boot; the bootstrap has these without being an instance. */
export type CoreBoot = Pick<Boot, "config" | "identity" | "log" | "paths"> &
  Partial<Pick<Boot, "home" | "environment">>;

/** Null where no name needs a chat token of its own, or one file is said to hold it. */
function tokenPool({ config, home, environment }: CoreBoot, { clients }: Backend): TokenPool | null {
  const { enabled, tokenFile } = config.channels.discord;
  if (!enabled || tokenFile !== undefined || home === undefined || environment === undefined) return null;
  return {
    async list() {
      const infos = await (await openSecrets({ config, home, environment, clients })).list();
      return infos.filter(({ source }) => source !== "environment");
    },
  };
}

export function createCore(boot: CoreBoot, backend: Backend, events: CoreEvents): Core {
  const { config, identity, log } = boot;
  const { store, provider, repository } = backend;
  const { instance, name } = identity;
  const isCheckout = identity.image === "checkout";
  const { paths } = boot;
  const author = commitAuthor(name);
  const program = { revision: identity.revision ?? "checkout", dirty: false };
  const programRead = isCheckout
    ? readCheckout(programRoot).then((found) => void Object.assign(program, found))
    : Promise.resolve();
  // Whoever awaits it reports a failure; until then it must not end the process.
  programRead.catch(() => {});

  const audit = createAuditLog(store);
  const pause = createPause(store);
  const fleet = createFleetServices({
    store,
    provider,
    repository,
    audit,
    host: config.gateway.host,
    self: () => ({ instance, name, image: identity.image, ...program }),
    tokens: tokenPool(boot, backend),
    settings: {
      candidateDeadlineMs: config.fleet.candidateSeconds * 1000,
      drainDeadlineMs: config.fleet.drainSeconds * 1000,
      leaseMs: config.fleet.leaseSeconds * 1000,
      longestCallMs,
    },
  });
  const plan = planOperation(fleet);
  const policy = (): Promise<PolicyInForce> => readPolicy(store);
  const approvals = createApprovals({ store, audit, policy, plan, instance, onChange: events.onChange });
  const operations = createOperations({
    store,
    audit,
    fleet,
    operationByName: findOperation,
    isPaused: pause.isPaused,
    approvalState: async (id) => (await approvals.get(id))?.state ?? null,
    log,
    onChange(operation) {
      live.publish({ type: "operation", operation });
      events.onOperation(operation);
    },
  });
  const live = createLive({
    store,
    approval: (id) => approvals.get(id),
    operation: (id) => operations.get(id),
    fleet: () => fleet.status(),
    paused: pause.peek,
  });
  return {
    paths,
    store,
    audit,
    maintainers: createMaintainers(store),
    pause,
    repository,
    provider,
    fleet,
    async status() {
      const [status, paused] = await Promise.all([fleet.status(), pause.peek()]);
      return paused ? { ...status, paused } : status;
    },
    plan,
    policy,
    approvals,
    operations,
    live,
    inbox: createInbox(store),
    program,
    programRead,
    author,
  };
}
