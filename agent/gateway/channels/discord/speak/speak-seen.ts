/** What was seen of a run since it last began. */
import type { RunEvent } from "../../../../protocol.ts";
import { type Extras, noExtras } from "./deliver.ts";

export interface Seen {
  text: string;
  /** The tool that runs. */
  doing: string | null;
  extras: Extras;
  /** Approvals that have a card. */
  carded: string[];
  /** It began again, and words of it had been seen. */
  isAgain: boolean;
  isDone: boolean;
  /** Wakes who waits for the end. */
  onDone: (() => void) | null;
}

export function createSeen(): Seen {
  return { text: "", doing: null, extras: noExtras, carded: [], isAgain: false, isDone: false, onDone: null };
}

/** Takes an event in. `extras` is another object afterwards when something was added to it. */
export function see(seen: Seen, event: RunEvent): void {
  if (event.type === "done") {
    seen.isDone = true;
    seen.onDone?.();
    return;
  }
  seen.isDone = false;
  if (event.type === "text") {
    seen.text += event.text;
    seen.doing = null;
  } else if (event.type === "restart") {
    const { onDone } = seen;
    Object.assign(seen, createSeen(), { onDone, isAgain: seen.text !== "" });
  } else if (event.type === "tool") seen.doing = event.state === "started" ? event.name.replaceAll("_", " ") : null;
  else if (event.type === "notice") seen.extras = { ...seen.extras, notices: [...seen.extras.notices, event.text] };
  else if (event.type === "proposal") {
    if (event.state !== "approved") seen.carded.push(event.approval);
  } else if (event.type === "picture") {
    const { picture, alt } = event;
    if (seen.extras.pictures.some((one) => one.picture === picture)) return;
    seen.extras = { ...seen.extras, pictures: [...seen.extras.pictures, { picture, alt }] };
  }
}
