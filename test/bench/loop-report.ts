/** What each of the compared loops reports of itself. */
import { readFileSync } from "node:fs";

export interface LoopReport {
  /** Of each turn. */
  milliseconds: number[];
  /** Of the processor, of each turn, all threads: says something on a machine that others use, too. */
  processorMilliseconds: number[];
  /** After so many turns. */
  megabytes: { turns: number; pss: number; rss: number }[];
  /** Some seconds after the last turn: what a process keeps that nobody asks. */
  atRest: { pss: number; rss: number };
}

/** Turns after which memory is measured. */
const marks = [200, 1000];
/** The engine gives memory back about 8 s after it has last collected. */
const restMs = 12_000;

/** Runs a turn so often, one after the other, and prints the report. `argv`: how many turns. */
export async function reportTurns(turns: number, turn: (number: number) => Promise<void>): Promise<void> {
  const report: LoopReport = { milliseconds: [], processorMilliseconds: [], megabytes: [], atRest: { pss: 0, rss: 0 } };
  for (let number = 1; number <= turns; number++) {
    const begun = performance.now();
    const before = process.cpuUsage();
    await turn(number);
    const used = process.cpuUsage(before);
    report.milliseconds.push(performance.now() - begun);
    report.processorMilliseconds.push((used.user + used.system) / 1000);
    if (marks.includes(number) || number === turns) report.megabytes.push({ turns: number, ...memory() });
  }
  await new Promise((resolve) => setTimeout(resolve, restMs));
  report.atRest = memory();
  process.stdout.write(`${JSON.stringify(report)}\n`);
}

/** What is asked, as long as people ask. */
export function question(number: number): string {
  return `Question ${number}: how is the fleet, is anything waiting for me, and what should I look at first today?`;
}

/** A system prompt of about so many bytes; like a real one, not only of Latin letters, which makes every byte after it dearer. */
export function systemPrompt(bytes: number): string {
  return `You are a maintainer bot → ${"x".repeat(bytes)}`;
}

/** Linux only: elsewhere proportional and resident size are the same. */
function memory(): { pss: number; rss: number } {
  const rss = process.memoryUsage.rss() / 1e6;
  try {
    const pss = Number(/^Pss:\s+(\d+)/m.exec(readFileSync("/proc/self/smaps_rollup", "utf8"))?.[1]) / 1024;
    return { pss, rss };
  } catch {
    return { pss: rss, rss };
  }
}
