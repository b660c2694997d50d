/** What the provider decides: where instances and images live, and where they agree on things. */
import { join } from "node:path";
import { ConfigError } from "../../tools/errors.ts";
import type { AwsClients } from "../../tools/fleet/aws/clients.ts";
import type { CommitAuthor } from "../../tools/fleet/bare-repository.ts";
import { createLocalProvider } from "../../tools/fleet/local/provider.ts";
import { openFleetRepository } from "../../tools/fleet/repository.ts";
import type { FleetProvider, FleetRepository } from "../../tools/fleet/services.ts";
import type { Store } from "../../tools/store.ts";
import type { Config } from "../config.ts";
import type { FleetPaths } from "../paths.ts";
import { openSqliteStore } from "./store/sqlite.ts";

export interface Backend {
  store: Store;
  provider: FleetProvider;
  /** Path or address of the fleet repository. */
  fleetRepository: string;
  repository: FleetRepository;
  /** Null where there is no cloud. */
  clients: AwsClients | null;
  close(): Promise<void>;
}

export interface BackendOptions {
  home: string;
  paths: FleetPaths;
  config: Config;
  /** Local disk of this instance, for what can be rebuilt. */
  directory: string;
  /** The checkout that runs here; null for an image. */
  checkout: string | null;
  /** Who makes this instance's commits. */
  author: CommitAuthor;
  environment: NodeJS.ProcessEnv;
}

/** Opens it; the cloud's code is loaded only where it is used. */
export async function openBackend(options: BackendOptions): Promise<Backend> {
  const { config } = options;
  return config.provider === "aws" ? openAws(options) : openLocal(options);
}

async function openLocal(options: BackendOptions): Promise<Backend> {
  const { home, paths, config, checkout, environment } = options;
  const store = await openSqliteStore({ path: paths.store });
  const provider = createLocalProvider({
    home,
    programRepository: config.program.repository ?? checkout,
    environment,
  });
  const fleetRepository = config.fleet.repository ?? paths.repository;
  return {
    store,
    provider,
    fleetRepository,
    repository: openRepository(options, fleetRepository),
    clients: null,
    close: () => store.close(),
  };
}

async function openAws(options: BackendOptions): Promise<Backend> {
  const { config, directory, environment } = options;
  const { aws: settings, fleet, program } = config;
  if (!settings || !fleet.repository || !program.repository) {
    throw new ConfigError("`provider: aws` lacks its settings", {
      code: "config_invalid",
      hint: "set `aws.bucket`, `fleet.repository` and `program.repository`",
    });
  }
  const [{ createAwsClients }, { createAwsProvider }, { openS3Store }, { createReadCache }] = await Promise.all([
    import("../../tools/fleet/aws/clients.ts"),
    import("../../tools/fleet/aws/provider.ts"),
    import("./store/s3.ts"),
    import("./store/read-cache.ts"),
  ]);
  const clients = createAwsClients({ region: settings.region, environment });
  const { bucket, storePrefix: prefix, pollSeconds } = settings;
  const store = createReadCache(await openS3Store({ clients, bucket, prefix, pollMs: pollSeconds * 1000 }));
  const repository = openRepository(options, fleet.repository);
  const provider = createAwsProvider({
    settings,
    configuration: repository.configuration,
    clients,
    store,
    stateDirectory: join(directory, "aws"),
    programRepository: program.repository,
    environment,
  });
  return {
    store,
    provider,
    fleetRepository: fleet.repository,
    repository,
    clients,
    async close() {
      await store.close();
      clients.close();
    },
  };
}

/** One object for one clone: its fetches wait for each other. */
function openRepository({ directory, author, environment }: BackendOptions, address: string): FleetRepository {
  return openFleetRepository({ directory: address, clone: join(directory, "fleet.git"), author, environment });
}
