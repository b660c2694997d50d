/** `clawdinator image publish`: from a commit to an AMI without a gateway, for CI and for the first instance. */
import { join } from "node:path";
import { ConfigError } from "../../tools/errors.ts";
import type { BuildNeeds } from "../../tools/fleet/aws/images/build-needs.ts";
import type { AwsSettings } from "../../tools/fleet/aws/settings.ts";
import { commitAuthor } from "../../tools/fleet/bare-repository.ts";
import { type ImportWay, importWays } from "../../tools/fleet/services.ts";
import { sha256 } from "../../tools/json.ts";
import type { CommandContext } from "./context.ts";
import { shortId, UsageError } from "./output.ts";
import { readConfig } from "./read-config.ts";

export interface PublishedImage {
  /** AMI id. */
  image: string;
  snapshot: string | null;
  revision: string;
  closure: string | null;
  /** The same closure had been imported before. */
  reused: boolean;
}

export async function publish(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const way = options.via === undefined ? null : (importWays.find((one) => one === options.via) ?? null);
  if (options.via !== undefined && way === null)
    throw new UsageError(`--via ${String(options.via)} is not known`, `take one of: ${importWays.join(", ")}`);
  const config = readConfig(context.home, typeof options.config === "string" ? options.config : undefined);
  const { aws: settings, program, fleet } = config;
  if (config.provider !== "aws" || !settings || !program.repository || !fleet.repository) {
    throw new ConfigError("images are published to AWS, and this configuration is for a fleet on this machine", {
      code: "config_invalid",
      hint: "name the fleet's configuration with --config, such as nix/settings.json of the fleet repository",
    });
  }
  const abort = new AbortController();
  const stop = (): void =>
    abort.abort(new ConfigError("stopped", { code: "stopped", hint: "run it again: it goes on" }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  const image = await publishImage({
    settings,
    programRepository: program.repository,
    fleetRepository: fleet.repository,
    revision: typeof options.revision === "string" ? options.revision : "HEAD",
    via: way,
    stateDirectory: join(context.home, "publish"),
    environment: process.env,
    progress: (text) => context.output.note(text),
    signal: abort.signal,
  });
  context.output.result(
    image,
    () =>
      `${image.image} of ${shortId(image.revision)}${image.reused ? " (was there)" : ""}\nsnapshot ${image.snapshot ?? "–"}, closure ${image.closure ?? "–"}`,
  );
}

/** Builds, imports and registers. Each part is found when it is there, so an attempt that was cut short is continued. */
export async function publishImage(options: {
  settings: AwsSettings;
  programRepository: string;
  /** Whose settings the image's machines carry. */
  fleetRepository: string;
  revision: string;
  via: ImportWay | null;
  stateDirectory: string;
  environment: NodeJS.ProcessEnv;
  /** What a build needs; default what NixOS needs. */
  needs?: BuildNeeds;
  progress(text: string): void;
  signal: AbortSignal;
}): Promise<PublishedImage> {
  const { settings, environment, stateDirectory, progress, signal, via } = options;
  const [{ createAwsClients }, { openAwsImages }, { gitFlake }, { openProgram }, repositories] = await Promise.all([
    import("../../tools/fleet/aws/clients.ts"),
    import("../../tools/fleet/aws/images/images.ts"),
    import("../../tools/fleet/aws/images/nix.ts"),
    import("../../tools/fleet/program.ts"),
    import("../../tools/fleet/repository.ts"),
  ]);
  const clients = createAwsClients({ region: settings.region, environment });
  try {
    const directory = join(stateDirectory, "program.git");
    const program = openProgram({ directory, source: options.programRepository, environment });
    const fleet = repositories.openFleetRepository({
      directory: options.fleetRepository,
      clone: join(stateDirectory, "fleet.git"),
      author: commitAuthor("publish"),
      environment,
    });
    const images = openAwsImages({
      settings,
      clients,
      program: { resolve: program.resolve, flake: (commit) => gitFlake(directory, commit) },
      stateDirectory,
      environment,
      now: Date.now,
      nixOptions: settings.nixOptions,
      configuration: fleet.configuration,
      ...(options.needs ? { needs: options.needs } : {}),
      // Nothing is removed here.
      inUse: async () => [],
    });
    const derivation = await images.deriveImage(await program.resolve(options.revision));
    const { built: known, ...planned } = derivation;
    if (known?.ami) {
      const { ami, snapshot, revision, closure } = known;
      return { image: ami, snapshot, revision, closure, reused: true };
    }
    if (!known) for (const need of (await images.checkBuild(planned)).needs) progress(need);
    const { image: built } = await images.buildImage(planned.revision, { progress, signal });
    const token = sha256(`publish/${settings.fleet}/${planned.id}`);
    const imported = await images.importImage(planned, { token, via, progress, signal });
    return {
      image: imported.image,
      snapshot: imported.snapshot,
      revision: planned.revision,
      closure: built.closure,
      reused: imported.reused,
    };
  } finally {
    clients.close();
  }
}
