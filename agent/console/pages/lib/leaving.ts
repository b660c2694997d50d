/** Whoever holds unsaved work is asked before another page opens. */
class Leaving {
  /** Set while there is something to lose; calls `go` once the person wants to leave nevertheless. */
  ask: ((go: () => void) => void) | null = null;

  /** True when leaving for `target` was put off; the address bar then still names `current`. */
  holds(target: string, current: string): boolean {
    const { ask } = this;
    if (!ask || target === current) return false;
    history.replaceState(null, "", current);
    ask(() => {
      this.ask = null;
      location.hash = target;
    });
    return true;
  }
}

export const leaving = new Leaving();
