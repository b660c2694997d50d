/** Commands that only tell something: the same tools that the model reads with, answered to one person at once. */

import type { Memory } from "../../../../../memory/index.ts";
import { cost } from "../../../../../tools/cost.ts";
import type { CostReport } from "../../../../../tools/cost-report.ts";
import type { FleetStatus } from "../../../../../tools/fleet/model.ts";
import type { FleetServices } from "../../../../../tools/fleet/services.ts";
import { fleetDrift } from "../../../../../tools/fleet-drift.ts";
import { fleetStatus } from "../../../../../tools/fleet-status.ts";
import { memorySearch } from "../../../../../tools/memory-search.ts";
import { type Sitrep, sitrep } from "../../../../../tools/sitrep.ts";
import { table } from "../../../../../tools/text-table.ts";
import type { ReadContext, ReadTool } from "../../../../../tools/tool.ts";
import { version } from "../../../../../tools/version.ts";
import type { Approvals } from "../../../approvals.ts";
import { type Actor, authorOf } from "../../../maintainers.ts";
import { code, fitting, moment, plain } from "../cards/card-text.ts";
import type { Cards } from "../cards/cards.ts";
import type { OptionValues, ReadName } from "./command-definitions.ts";

export interface CommandAnswer {
  content: string;
  files?: { name: string; attachment: Buffer }[];
}

export type Reader = (read: ReadName, options: { values: OptionValues; actor: Actor }) => Promise<CommandAnswer>;

/** Room in a message for a block of text with its fences; longer text is a file. */
const blockCharacters = 1_900;
const listCharacters = 1_800;

export function createReader(options: {
  /** The fleet with who paused it. */
  status(): Promise<FleetStatus>;
  fleet: Pick<FleetServices, "drift"> & { provider: Pick<FleetServices["provider"], "listImages"> };
  approvals: Pick<Approvals, "list">;
  cards: Pick<Cards, "addressOf">;
  cost(days: number): Promise<CostReport>;
  sitrep(): Promise<Sitrep>;
  memory(): Promise<Memory>;
  program(): ReadContext["program"];
}): Reader {
  const { fleet, approvals } = options;

  const run = async (tool: ReadTool, input: object, actor: Actor): Promise<CommandAnswer> => {
    const { kind, id, name } = authorOf(actor);
    const context: ReadContext = {
      memory: await options.memory(),
      fleet: { status: () => options.status(), drift: () => fleet.drift() },
      cost: options.cost,
      sitrep: options.sitrep,
      program: options.program(),
      author: { kind, id, name },
      trust: "maintainer",
      conversation: "discord-command",
      signal: AbortSignal.timeout(60_000),
    };
    return asBlock((await tool.run(context, tool.input.parse(input))).text, tool.name);
  };

  return async (read, { values, actor }) => {
    if (read === "status") return run(fleetStatus, {}, actor);
    if (read === "drift") return run(fleetDrift, {}, actor);
    if (read === "version") return run(version, {}, actor);
    if (read === "schedule") return run(sitrep, { schedule: true }, actor);
    if (read === "memory") return run(memorySearch, { query: String(values.text ?? "") }, actor);
    if (read === "images") return images();
    if (read === "approvals") return waiting();
    if (read === "cost") {
      const days = values.period === "this week" ? 7 : values.period === "this month" ? 30 : 1;
      return run(cost, days === 1 ? {} : { days, by: "day" }, actor);
    }
    return {
      content:
        "I do not watch issues and pull requests yet. `/approvals` shows what waits for you, and `sitrep`, said to me, what else needs a person.",
    };
  };

  async function images(): Promise<CommandAnswer> {
    const found = (await fleet.provider.listImages()).sort((a, b) => b.builtAt - a.builtAt);
    if (found.length === 0) return { content: "There is no image yet. `/image build` builds one." };
    const rows = found.map(({ revision, id, ami, bytes, builtAt }) => [
      revision.slice(0, 12),
      (ami ?? id).slice(0, 24),
      `${Math.round(bytes / 1_000_000)} MB`,
      new Date(builtAt).toISOString().slice(0, 16).replace("T", " "),
    ]);
    return asBlock(table([["revision", "image", "size", "built (UTC)"], ...rows]), "images");
  }

  async function waiting(): Promise<CommandAnswer> {
    const pending = (await approvals.list()).filter(({ state }) => state === "pending");
    if (pending.length === 0) return { content: "Nothing waits for approval." };
    const lines = await Promise.all(
      pending.slice(0, 25).map(async ({ id, summary, votes, quorum, expiresAt }) => {
        const count = votes.filter((vote) => vote.decision === "approve" && vote.counts).length;
        const card = (await options.cards.addressOf(id)) ?? "on the console";
        return `- ${code(id)} ${plain(summary, 120)} (${count} of ${quorum}, expires ${moment(expiresAt)}): ${card}`;
      }),
    );
    return { content: fitting(lines, { most: listCharacters, rest: (left) => `- and ${left} more` }).text };
  }
}

/** Text as it is, in columns; nothing in it is interpreted. */
function asBlock(text: string, name: string): CommandAnswer {
  // A fence inside would end the block.
  const harmless = text
    .replaceAll("```", "'''")
    .replace(/[^\P{C}\n]/gu, "")
    .trim();
  if (harmless.length <= blockCharacters) return { content: `\`\`\`\n${harmless}\n\`\`\`` };
  const head = harmless.slice(0, listCharacters).replace(/\n[^\n]*$/, "");
  return {
    content: `\`\`\`\n${head}\n…\n\`\`\`The whole of it is in the file.`,
    files: [{ name: `${name}.txt`, attachment: Buffer.from(text, "utf8") }],
  };
}
