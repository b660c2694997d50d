/** Server-sent events of everything that changes. */
import type { Context } from "hono";
import { streamSSE } from "hono/streaming";
import type { Api, Environment } from "./context.ts";

export function streamEvents(context: Context<Environment>, api: Api): Response {
  return streamSSE(context, async (stream) => {
    let tail: Promise<unknown> = Promise.resolve();
    const stop = api.live.subscribe((event) => {
      tail = tail.then(() => stream.writeSSE({ event: event.type, data: JSON.stringify(event) })).catch(() => {});
    });
    const keepAlive = setInterval(() => void stream.write(": still here\n\n"), 15_000);
    await stream.write("retry: 500\n: watching\n\n");
    api.scheduler.wake();
    await new Promise<void>((resolve) => stream.onAbort(resolve));
    clearInterval(keepAlive);
    stop();
  });
}
