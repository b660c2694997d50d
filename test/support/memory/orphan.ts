/** Ends this process when the one that started it is gone: its end of our standard input closes then. */
export function endWithParent(): void {
  process.stdin.on("close", () => process.exit(2));
  process.stdin.resume();
  (process.stdin as NodeJS.ReadStream & { unref?(): void }).unref?.();
}
