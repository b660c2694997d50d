/** A test's own look at any instance of a fleet, over its control socket. */

import { readdirSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { instancePaths } from "../../agent/paths.ts";

export interface VersionAnswer {
  name: string;
  instance: string;
  epoch: number | null;
  holdsName: boolean;
}

/** Null when nobody answers there. */
export function readVersion(home: string, instance: string): Promise<VersionAnswer | null> {
  const { controlSocket } = instancePaths(home, instance);
  return new Promise((resolve) => {
    const asked = request(
      { socketPath: controlSocket, path: "/api/version", agent: false, timeout: 10_000 },
      (response) => {
        void bodyOf(response).then(
          (text) => resolve(response.statusCode === 200 ? (JSON.parse(text) as VersionAnswer) : null),
          () => resolve(null),
        );
      },
    );
    asked.on("error", () => resolve(null));
    asked.on("timeout", () => asked.destroy());
    asked.end();
  });
}

/** Ids of every instance that has a directory. */
export function instancesBelow(home: string): string[] {
  try {
    return readdirSync(join(home, "instances")).filter((name) => !name.startsWith("."));
  } catch {
    return [];
  }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of response.setEncoding("utf8")) text += chunk;
  return text;
}
