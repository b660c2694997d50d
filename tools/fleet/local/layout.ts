/** Where the local provider keeps what it makes. The same places as in `agent/paths.ts`; a test holds the two together. */
import { join } from "node:path";
import { ToolError } from "../../errors.ts";

export interface LocalLayout {
  /** Bare mirror of the program's repository. */
  program: string;
  images: string;
  dependencies: string;
  instances: string;
  compileCache: string;
}

export interface InstanceLayout {
  directory: string;
  spec: string;
  run: string;
  logs: string;
  gatewayLog: string;
  mindLog: string;
  gatewayLock: string;
  mindLock: string;
  /** Held while somebody starts the instance. */
  launchLock: string;
  /** Pid of the process that was started, before it holds any lock. */
  spawned: string;
}

export function localLayout(home: string): LocalLayout {
  const images = join(home, "fleet", "images");
  return {
    program: join(home, "fleet", "program.git"),
    images,
    dependencies: join(images, "dependencies"),
    instances: join(home, "instances"),
    compileCache: join(home, "cache", "compile"),
  };
}

/** Throws ToolError when the id could name a path outside. */
export function instanceLayout(layout: LocalLayout, instance: string): InstanceLayout {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(instance)) {
    throw new ToolError(`"${instance}" is not an instance id`, {
      code: "instance_id_invalid",
      hint: "see `fleet status` for the ids",
    });
  }
  const directory = join(layout.instances, instance);
  const run = join(directory, "run");
  const logs = join(directory, "logs");
  return {
    directory,
    spec: join(directory, "instance.json"),
    run,
    logs,
    gatewayLog: join(logs, "gateway.log"),
    mindLog: join(logs, "mind.log"),
    gatewayLock: join(run, "gateway.lock"),
    mindLock: join(run, "mind.lock"),
    launchLock: join(run, "launch.lock"),
    spawned: join(run, "spawned.json"),
  };
}

/** Throws ToolError when the id could name a path outside. */
export function imageDirectory(layout: LocalLayout, id: string): string {
  if (!/^local-[0-9a-f]{16}$/.test(id)) {
    throw new ToolError(`"${id}" is not an image id`, {
      code: "image_id_invalid",
      hint: "see `image list` for the ids",
    });
  }
  return join(layout.images, id);
}
