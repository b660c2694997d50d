/** The console's port: open while this instance holds its name, the same one for every holder of that name. */
import { consoleUrl } from "../../tools/fleet/model.ts";
import { nameNumber } from "../../tools/fleet/name-order.ts";
import { readName } from "../../tools/fleet/names.ts";
import type { Store } from "../../tools/store.ts";
import type { Config } from "../config.ts";
import type { Api } from "./http/context.ts";
import { startConsole } from "./http/server.ts";
import type { Identity } from "./identity.ts";

export interface Door {
  open(api: Omit<Api, "surface">): Promise<void>;
  close(): Promise<void>;
  /** Null while it is closed. */
  port(): number | null;
  url(): string | null;
}

/** `port`: asked for by hand; it must be that one. */
export function createDoor(options: { store: Store; config: Config; identity: Identity; port: number | null }): Door {
  const { store, identity, config } = options;
  const isCheckout = identity.image === "checkout";
  let server: { port: number; close(): Promise<void> } | null = null;

  /** What was asked for here; else the one that the name had; else as far above the first's as its number is above 1. */
  async function choosePort(): Promise<{ port: number; mustHavePort: boolean }> {
    const asked = options.port ?? (isCheckout ? config.gateway.port : 0);
    if (asked !== 0) return { port: asked, mustHavePort: true };
    if (options.port === 0) return { port: 0, mustHavePort: false };
    const known = (await readName(store, identity.name))?.port ?? identity.port;
    if (known !== null) return { port: known, mustHavePort: false };
    if (config.gateway.port === 0) return { port: 0, mustHavePort: false };
    const first = (await readName(store, "CLAWDINATOR-1"))?.port ?? config.gateway.port;
    return { port: Math.min(first + nameNumber(identity.name) - 1, 65_535), mustHavePort: false };
  }

  async function close(): Promise<void> {
    const closing = server;
    server = null;
    await closing?.close();
  }

  return {
    async open(api) {
      await close();
      server = await startConsole({ ...api, ...(await choosePort()) });
    },
    close,
    port: () => server?.port ?? null,
    url: () => consoleUrl(config.gateway.host, server?.port ?? null),
  };
}
