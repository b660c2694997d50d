import type { Reporter, TestModule } from "vitest/node";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** `N passed, N failed, N skipped`: the line that every run of the suite ends with. */
export function formatCounts(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

/**
 * Prints one line for each finished file and counts. What went wrong is printed by vitest's own reporter beside it.
 * A file that failed outside its tests (an import, a hook) and an error that no test caught count as one failure each.
 */
export class CountingReporter implements Reporter {
  readonly counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  readonly #print: (line: string) => void;

  constructor(options: { print(line: string): void }) {
    this.#print = (line) => options.print(line);
  }

  onTestModuleEnd(module: TestModule): void {
    const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
    const remarks: string[] = [];
    for (const test of module.children.allTests()) {
      const result = test.result();
      if (result.state === "passed") {
        counts.passed++;
      } else if (result.state === "failed") {
        counts.failed++;
        remarks.push(`  failed: ${test.fullName}`);
      } else {
        counts.skipped++;
        remarks.push(`  skipped: ${test.fullName}${"note" in result && result.note ? ` (${result.note})` : ""}`);
      }
    }
    if (module.state() === "failed" && counts.failed === 0) counts.failed = 1;
    const seconds = (module.diagnostic().duration / 1000).toFixed(1);
    this.#print(`${counts.failed > 0 ? "✗" : "✓"} ${module.relativeModuleId} · ${formatCounts(counts)} · ${seconds} s`);
    for (const remark of remarks) this.#print(remark);
    this.counts.passed += counts.passed;
    this.counts.failed += counts.failed;
    this.counts.skipped += counts.skipped;
  }

  onTestRunEnd(_modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.counts.failed += unhandledErrors.length;
  }
}
