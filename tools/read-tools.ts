import { cannedResponse } from "./canned-response.ts";
import { cost } from "./cost.ts";
import { fleetDrift } from "./fleet-drift.ts";
import { fleetStatus } from "./fleet-status.ts";
import { identity } from "./identity.ts";
import { memoryAppend } from "./memory-append.ts";
import { memoryEdit } from "./memory-edit.ts";
import { memoryHistory } from "./memory-history.ts";
import { memoryRead } from "./memory-read.ts";
import { memorySearch } from "./memory-search.ts";
import { memoryWrite } from "./memory-write.ts";
import { picture } from "./picture.ts";
import { sitrep } from "./sitrep.ts";
import { skillRead } from "./skill-read.ts";
import type { ReadTool } from "./tool.ts";
import { version } from "./version.ts";

/** Every read tool, in a fixed order: the list is part of what a model's cache begins with. */
export const readTools: ReadTool[] = [
  fleetStatus,
  fleetDrift,
  memoryRead,
  memoryWrite,
  memoryAppend,
  memoryEdit,
  memorySearch,
  memoryHistory,
  version,
  sitrep,
  cost,
  identity,
  skillRead,
  cannedResponse,
  picture,
];
