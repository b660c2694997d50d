/** Times in the console are the server's: a laptop with a wrong clock must not show a wrong countdown. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

let offsetMs = 0;

/** Tells the clock what the server's time was just now, in milliseconds since 1970. */
export function learnServerTime(at: number): void {
  offsetMs = at - Date.now();
}

/** The server's time, milliseconds since 1970. */
export function serverNow(): number {
  return Date.now() + offsetMs;
}

/** Renders its element every second for as long as `isNeeded` says so; asked again after each render. */
export class Ticker implements ReactiveController {
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #host: ReactiveControllerHost;
  readonly #isNeeded: () => boolean;

  constructor(host: ReactiveControllerHost, isNeeded: () => boolean) {
    this.#host = host;
    this.#isNeeded = isNeeded;
    host.addController(this);
  }

  hostUpdated(): void {
    clearTimeout(this.#timer);
    if (this.#isNeeded()) this.#timer = setTimeout(() => this.#host.requestUpdate(), 1000);
  }

  hostDisconnected(): void {
    clearTimeout(this.#timer);
  }
}
