import type { ReactiveController, ReactiveControllerHost } from "lit";

/** Asks again and again while its element is shown and the page is seen: for what nobody tells the page. */
export class Poll implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #everyMs: number;
  /** Must not throw. */
  readonly #ask: () => Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isConnected = false;
  /** Rises with each question: an older one that comes back late starts no second round. */
  #round = 0;

  constructor(host: ReactiveControllerHost, everyMs: number, ask: () => Promise<void>) {
    this.#host = host;
    this.#everyMs = everyMs;
    this.#ask = ask;
    host.addController(this);
  }

  hostConnected(): void {
    this.#isConnected = true;
    document.addEventListener("visibilitychange", this.#onVisible);
    // The element's properties are set once it is connected.
    queueMicrotask(() => void this.now());
  }

  hostDisconnected(): void {
    this.#isConnected = false;
    document.removeEventListener("visibilitychange", this.#onVisible);
    clearTimeout(this.#timer);
  }

  /** Asks at once, and goes on from there. */
  async now(): Promise<void> {
    clearTimeout(this.#timer);
    if (!this.#isConnected || document.visibilityState === "hidden") return;
    this.#round += 1;
    const round = this.#round;
    await this.#ask();
    this.#host.requestUpdate();
    if (this.#isConnected && round === this.#round) this.#timer = setTimeout(() => void this.now(), this.#everyMs);
  }

  readonly #onVisible = (): void => {
    if (document.visibilityState === "visible") void this.now();
  };
}
