/** “… is typing”, for as long as an answer is being made. Discord shows it for 10 s (discord-api-docs, “Trigger Typing”). */
const repeatMs = 8_000;

export interface Typing {
  /** At once; again it changes nothing. */
  start(): void;
  stop(): void;
}

/** `type` tells Discord once; when it is not taken, the next time comes soon enough. */
export function createTyping(type: () => Promise<boolean>): Typing {
  let timer: NodeJS.Timeout | null = null;
  return {
    start() {
      if (timer) return;
      void type();
      timer = setInterval(() => void type(), repeatMs);
    },
    stop() {
      if (timer) clearInterval(timer);
      timer = null;
    },
  };
}
