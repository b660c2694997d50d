import { resolve } from "node:path";
import { type Config, loadConfig } from "../config.ts";
import { fleetPaths } from "../paths.ts";

/** The configuration that a gateway of this state directory works by; throws ConfigError. */
export function readConfig(home: string, named: string | undefined = process.env.CLAWDINATOR_CONFIG): Config {
  return loadConfig({ path: named ? resolve(named) : fleetPaths(home).config, required: Boolean(named) });
}
