import { z } from "zod";
import type { Json } from "./json.ts";
import { defineReadTool } from "./tool.ts";

/** The whole answer of a heartbeat that has nothing to say; it is stored and not shown as news. */
export const silentAnswer = "ALL_QUIET";

/** One thing that a person should act on. */
export interface SitrepItem {
  /** The same for as long as it is the same news. */
  key: string;
  kind: "approval" | "operation" | "instance" | "drift" | "schedule" | "paused" | "spend";
  /** One line: what, since when, and what to do. */
  text: string;
  /** No heartbeat has told it yet. */
  isNew: boolean;
  /** Where public text in it came from. */
  sources: string[];
}

export interface Sitrep {
  /** Store time this was true. */
  at: number;
  /** Failed operations are those since then. */
  since: number;
  items: SitrepItem[];
  fleet: { instances: number; ready: number };
  /** What was spent today, in words; null where nothing counts it. */
  spend: string | null;
  /** Every job, in words. */
  schedule: { id: string; text: string }[];
}

export const sitrep = defineReadTool({
  name: "sitrep",
  description:
    "Says in a few lines what a person should act on: approvals that wait and for how long, operations that failed, " +
    "instances that are not well, drift, and what was spent today; or that there is nothing. With `news`, only what no " +
    `heartbeat has told yet; then the answer to nothing new is ${silentAnswer}. With \`schedule\`, what is scheduled ` +
    "instead.",
  input: z.strictObject({
    news: z.boolean().optional().describe("only what no heartbeat has told yet"),
    schedule: z.boolean().optional().describe("the scheduled jobs, when they come next and how they ended last"),
  }),
  async run(context, input) {
    const report = await context.sitrep();
    if (input.schedule) return { text: describeSchedule(report), data: report.schedule as unknown as Json };
    const items = report.items.filter((item) => item.isNew || !input.news);
    const sources = [...new Set(items.flatMap((item) => item.sources))];
    return {
      text: describe(report, items, input.news === true),
      data: { ...report, items } as unknown as Json,
      ...(sources.length > 0 ? { trust: "public" as const, source: sources.slice(0, 10).join(", ") } : {}),
    };
  },
});

/** A person reads them all; what is beyond is said in one line. */
const mostItems = 12;

function describe({ fleet, spend }: Sitrep, items: SitrepItem[], isNews: boolean): string {
  if (isNews && items.length === 0) return silentAnswer;
  const ready = `${fleet.ready} of ${fleet.instances} ${fleet.instances === 1 ? "instance" : "instances"} ready`;
  const around = [`Fleet: ${ready}.`, ...(spend === null ? [] : [spend])].join(" ");
  if (items.length === 0) return `Nothing needs a person. ${around}`;
  const head = items.length === 1 ? "One thing needs a person:" : `${items.length} things need a person:`;
  const more = items.length > mostItems ? [`- and ${items.length - mostItems} more; the console shows them`] : [];
  return [head, ...items.slice(0, mostItems).map((item) => `- ${item.text}`), ...more, around].join("\n");
}

function describeSchedule({ schedule }: Sitrep): string {
  if (schedule.length === 0) return "Nothing is scheduled.";
  return schedule.map(({ text }) => `- ${text}`).join("\n");
}
