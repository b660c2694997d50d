/** The gateway's one handle on the hive mind: loaded and opened when it is first used, which a start does not do. */
import { join } from "node:path";
import type { Memory } from "../../memory/index.ts";
import type { Log } from "../log.ts";
import type { FleetPaths } from "../paths.ts";
import type { Identity } from "./identity.ts";

export interface GatewayMemory {
  open(): Promise<Memory>;
  close(): Promise<void>;
}

export function createGatewayMemory(options: { paths: FleetPaths; identity: Identity; log: Log }): GatewayMemory {
  const { paths, identity, log } = options;
  let opened: Promise<Memory> | null = null;
  return {
    open() {
      opened ??= import("../../memory/index.ts").then(({ openMemory }) =>
        openMemory({
          directory: paths.memory,
          writer: `${identity.instance}-gateway`,
          index: join(identity.paths.index, "gateway"),
          onProblem: (problem) => log("warn", "the memory has a problem", { ...problem }),
        }),
      );
      return opened;
    },
    async close() {
      await (await opened)?.close();
    },
  };
}
