/** The embedded provider: images are trees of a commit, instances are process pairs on this machine. */
import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { ToolError } from "../../errors.ts";
import { openProgram } from "../program.ts";
import type { FleetProvider } from "../services.ts";
import { openImages } from "./images.ts";
import { openInstances } from "./instances.ts";
import { localLayout } from "./layout.ts";

export interface LocalProviderOptions {
  /** `$CLAWDINATOR_HOME`. */
  home: string;
  /** Path of a checkout or address of a repository; null takes the one that was used last. */
  programRepository: string | null;
  /** Node for images that bring none; default the one that runs this. */
  node?: string;
  /** Where the few variables that children may have are taken from. */
  environment: NodeJS.ProcessEnv;
  now?: () => number;
}

/** Makes nothing until it is used. */
export function createLocalProvider(options: LocalProviderOptions): FleetProvider {
  const { home, environment, programRepository } = options;
  const layout = localLayout(home);
  const program = openProgram({ directory: layout.program, source: programRepository, environment });
  const checkout = programRepository && isAbsolute(programRepository) ? programRepository : null;
  const images = openImages({
    layout,
    program,
    dependencies: { checkout, environment },
    now: options.now ?? Date.now,
  });
  const instances = openInstances({ home, layout, environment });

  return {
    kind: "local",
    instanceType: "process",
    instanceId: (token) => `i-${token.slice(0, 12)}`,
    planLaunch: async () => ({
      placement: null,
      monthlyUsd: 0,
      currentMonthlyUsd: 0,
      note: "runs on this machine; about 100 MB of memory while it is idle",
      warnings: [],
    }),
    imageCost: () => ({ onceUsd: 0, monthlyUsd: 0, note: "disk space on this machine" }),
    resolveRevision: (revision) => program.resolve(revision),
    deriveImage: (revision) => images.derive(revision),
    buildImage: (revision, buildOptions) => images.build(revision, buildOptions),
    // A tree is made anywhere that the gateway runs.
    checkBuild: async () => ({ needs: [] }),
    async importImage(image) {
      // The tree is what instances are launched from: it must be whole, and that is all.
      const { revision } = await images.usable(image.id);
      return { image: image.id, snapshot: null, revision, reused: true };
    },
    abandonImport: async () => {},
    listImages: () => images.list(),
    async removeImage(id) {
      const user = (await instances.list()).find((instance) => instance.image === id);
      if (user) {
        throw new ToolError(`image ${id} stays: ${user.name} (${user.instance}) is made from it`, {
          code: "image_in_use",
          hint: "replace or retire that instance first",
        });
      }
      await images.remove(id);
    },
    launch: (spec) =>
      instances.launch(spec, async () => {
        const image = await images.usable(spec.image);
        const own = join(image.path, "node_modules", ".bin", "node");
        return { node: existsSync(own) ? own : (options.node ?? process.execPath), tree: image.path };
      }),
    liveness: (instance) => instances.liveness(instance),
    stop: (instance, stopOptions) => instances.stop(instance, stopOptions),
    async remove(instance, stopOptions) {
      await instances.stop(instance, stopOptions);
      await instances.remove(instance);
    },
    readLog: (instance, lines) => instances.readLog(instance, lines),
    async list() {
      const found = await instances.list();
      return found.map(({ instance, name, image, revision, liveness }) => ({
        instance,
        name,
        image,
        revision,
        liveness,
        machine: null,
      }));
    },
  };
}
