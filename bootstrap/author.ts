import { userInfo } from "node:os";
import type { CommitAuthor } from "./git.ts";

/** Who runs the bootstrap, by the name that this machine knows. */
export function userName(environment: NodeJS.ProcessEnv): string {
  try {
    return userInfo().username || "maintainer";
  } catch {
    // An account without an entry, as in some containers.
    return environment.USER || "maintainer";
  }
}

/** The author of the bootstrap's commits. */
export function author(environment: NodeJS.ProcessEnv): CommitAuthor {
  const name = userName(environment);
  return { name, email: `${name}@localhost` };
}
