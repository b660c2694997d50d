/** Every operation this version knows. */
import { amiImport } from "./ami-import.ts";
import { fleetRoll } from "./fleet-roll.ts";
import { imageBuild } from "./image-build.ts";
import { imagePrune } from "./image-prune.ts";
import { instanceLaunch } from "./instance-launch.ts";
import { instanceReplace } from "./instance-replace.ts";
import { instanceRetire } from "./instance-retire.ts";
import { instanceSwitch } from "./instance-switch.ts";
import { policyChange } from "./policy-change.ts";
import type { Operation } from "./tool.ts";

export const operations: readonly Operation[] = [
  imageBuild,
  amiImport,
  imagePrune,
  instanceLaunch,
  instanceReplace,
  instanceRetire,
  instanceSwitch,
  fleetRoll,
  policyChange,
];
