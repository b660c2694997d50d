/** The one stream of live updates. After each (re)connection everything is read again, so nothing is missed. */
import type { LiveEvent } from "../../../protocol.ts";
import { chats } from "./chats.ts";
import { store } from "./store.ts";

const eventTypes: LiveEvent["type"][] = ["fleet", "approval", "operation", "audit", "conversation", "paused"];

/** The browser reconnects by itself unless the gateway refused; then this long until the next try. */
const refusedRetryMs = 2000;

let source: EventSource | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;

export function startLive(): void {
  stopLive();
  source = new EventSource("/api/events");
  source.addEventListener("open", () => {
    setConnection("live");
    void store.refresh();
    void chats.reloadOpen();
  });
  source.addEventListener("error", () => {
    setConnection("reconnecting");
    if (source?.readyState !== EventSource.CLOSED) return;
    void store.refresh();
    retry = setTimeout(() => {
      if (store.session) startLive();
    }, refusedRetryMs);
  });
  for (const type of eventTypes) source.addEventListener(type, (message) => receive(message.data));
}

export function stopLive(): void {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function receive(data: string): void {
  const event = JSON.parse(data) as LiveEvent;
  if (event.type === "conversation") chats.applyLive(event);
  else store.apply(event);
}

function setConnection(connection: "live" | "reconnecting"): void {
  store.connection = connection;
  store.changed();
}
