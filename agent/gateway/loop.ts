/** Runs `work` soon after each call, never twice at once, and once more when called while it ran. */
export function createLoop(
  work: () => Promise<void>,
  onError: (error: unknown) => void,
): { wake(): void; stop(): Promise<void> } {
  let isRunning = false;
  let again = false;
  let stopped = false;
  let current: Promise<void> = Promise.resolve();

  const run = async (): Promise<void> => {
    isRunning = true;
    do {
      again = false;
      try {
        await work();
      } catch (error) {
        onError(error);
      }
    } while (again && !stopped);
    isRunning = false;
  };

  return {
    wake() {
      again = true;
      if (isRunning || stopped) return;
      isRunning = true;
      current = new Promise<void>((resolve) => setImmediate(resolve)).then(run);
    },
    async stop() {
      stopped = true;
      await current;
    },
  };
}
