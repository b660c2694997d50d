/** Who did something, in the words a person knows them by. */
import { store } from "./store.ts";

/** `instance:i-4e91` → `CLAWDINATOR-2`, `maintainer:1` → the reader's own name; others stay as they are. */
export function actorName(actor: string): string {
  const [kind, id = ""] = actor.split(":");
  if (kind === "instance") return instanceName(id);
  return kind === "maintainer" && id === store.session?.maintainer.id ? store.session.maintainer.name : actor;
}

/** The name that an instance holds, or its id when it holds none any more. */
export function instanceName(instance: string): string {
  return store.fleet?.instances.find((one) => one.instance === instance)?.name || instance;
}
