/** Where things lie below `$CLAWDINATOR_HOME`. `fleet/` is shared by local siblings; `instances/` can be rebuilt. */
import { chmodSync, lstatSync, mkdirSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { ConfigError } from "../tools/errors.ts";
import { sha256 } from "../tools/json.ts";

/** A Unix socket's path must fit `sockaddr_un`: 107 bytes on Linux, 103 on macOS; the smaller one holds everywhere. */
const longestSocketPath = 103;

export interface FleetPaths {
  home: string;
  config: string;
  /** This user's own command line tokens, mode 0600. */
  credentials: string;
  fleet: string;
  repository: string;
  program: string;
  store: string;
  memory: string;
  conversations: string;
  /** Each name's workspace lies below; see `workspaceOf`. */
  workspaces: string;
  images: string;
  instances: string;
}

export interface InstancePaths {
  directory: string;
  /** Who this is: written before the first process starts. */
  spec: string;
  run: string;
  logs: string;
  index: string;
  gatewayLock: string;
  mindLock: string;
  mindSocket: string;
  controlSocket: string;
}

/** `$CLAWDINATOR_HOME`, or `clawdinator` in the user's state directory. */
export function defaultHome(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.CLAWDINATOR_HOME) return resolve(environment.CLAWDINATOR_HOME);
  const state = environment.XDG_STATE_HOME || join(environment.HOME || homedir(), ".local", "state");
  return join(state, "clawdinator");
}

/** What of the configuration moves the shared directories elsewhere, such as to a file system that machines share. */
export interface SharedDirectories {
  memory: { directory?: string | undefined };
  conversations: { directory?: string | undefined };
  workspace?: { directory?: string | undefined };
}

export function fleetPaths(home: string, shared?: SharedDirectories): FleetPaths {
  const fleet = join(home, "fleet");
  const conversations = shared?.conversations.directory ?? join(fleet, "conversations");
  return {
    home,
    config: join(home, "config.json"),
    credentials: join(home, "credentials.json"),
    fleet,
    repository: join(fleet, "repo.git"),
    program: join(fleet, "program.git"),
    store: join(fleet, "store.sqlite"),
    memory: shared?.memory.directory ?? join(fleet, "memory"),
    conversations,
    // Beside the conversations, so that a file system that machines share holds both.
    workspaces: shared?.workspace?.directory ?? join(dirname(conversations), "workspaces"),
    images: join(fleet, "images"),
    instances: join(home, "instances"),
  };
}

/**
 * The workspace (soul, identity, skills, canned responses, schedule) of the instance that holds `name`. It belongs to
 * the name, so it outlives each instance. Throws ConfigError for what is no name, because it becomes part of a path.
 */
export function workspaceOf(paths: Pick<FleetPaths, "workspaces">, name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)) {
    throw new ConfigError(`“${name}” cannot be the name of a workspace`, {
      code: "bad_name",
      hint: "names are like CLAWDINATOR-1; mend `instanceName` in the configuration",
    });
  }
  return join(paths.workspaces, name);
}

export function instancePaths(home: string, instance: string): InstancePaths {
  const directory = join(home, "instances", instance);
  const run = join(directory, "run");
  return {
    directory,
    spec: join(directory, "instance.json"),
    run,
    logs: join(directory, "logs"),
    index: join(directory, "index"),
    gatewayLock: join(run, "gateway.lock"),
    mindLock: join(run, "mind.lock"),
    mindSocket: socketPath(run, "mind.sock"),
    controlSocket: socketPath(run, "control.sock"),
  };
}

/** The socket's path in `directory`, or in a short private directory of this user when that would be too long. */
function socketPath(directory: string, name: string): string {
  const path = join(directory, name);
  if (Buffer.byteLength(path) <= longestSocketPath) return path;
  return join(tmpdir(), `clawdinator-${process.getuid?.() ?? 0}`, `${sha256(directory).slice(0, 16)}-${name}`);
}

/** Makes the directory that a socket will lie in; refuses one that another user could have prepared. */
export function prepareSocketDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const stat = lstatSync(directory);
  const uid = process.getuid?.() ?? stat.uid;
  if (!stat.isDirectory() || stat.uid !== uid) {
    throw new ConfigError(`${directory} belongs to another user, so sockets in it could be someone else's`, {
      code: "unsafe_directory",
      hint: "remove it, or set CLAWDINATOR_HOME to a shorter path",
    });
  }
  chmodSync(directory, 0o700);
}
