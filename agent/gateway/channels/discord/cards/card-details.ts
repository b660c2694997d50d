/** The whole plan as a text file: nothing that the digest covers is left out. */

import { influenceOf } from "../../../../console/pages/state/plan-text.ts";
import type { ApprovalView } from "../../../../protocol.ts";
import { code, fitting, moment, plain } from "./card-text.ts";

export interface Details {
  content: string;
  files: { name: string; attachment: Buffer }[];
}

/** Answers below this are read at a glance; Discord takes 2,000 characters. */
const mostCharacters = 1_800;

export function renderDetails(approval: ApprovalView): Details {
  const { plan, id, digest } = approval;
  const changes = plan.changes.map(({ what }) => `- ${code(what, 160)}`);
  const content = [
    `**${plain(plan.summary)}** (${code(id)}, ${approval.state})`,
    `Digest ${code(digest)}`,
    `Expires ${moment(approval.expiresAt, "f")}. The whole plan is in the file.`,
    fitting(changes, { most: 1_000, rest: (left) => `- and ${left} more` }).text,
  ].join("\n");
  return {
    content: content.slice(0, mostCharacters),
    files: [{ name: `${id}.txt`, attachment: Buffer.from(planText(approval), "utf8") }],
  };
}

/** Everything of a plan for reading; values are JSON, so no text in one can pass for a part of the page. */
export function planText(approval: ApprovalView): string {
  const { plan } = approval;
  const { level, text } = influenceOf(plan.proposer);
  const sections: [string, string[]][] = [
    [`${approval.id}  ${approval.state}`, [json(plan.summary), `operation ${approval.operation}`]],
    [
      "Changes",
      plan.changes.flatMap(({ what, before, after }) => [
        json(what),
        `  before ${json(before)}`,
        `  after  ${json(after)}`,
      ]),
    ],
    ["Targets", plan.targets.map(({ name, instance, epoch }) => json({ name, instance, epoch }))],
    ["Cost", [`$${plan.cost.onceUsd} once, $${plan.cost.monthlyUsd} a month`, json(plan.cost.note)]],
    ["Warnings", plan.warnings.map((warning) => json(warning))],
    [
      "Asked by",
      [
        json(plan.proposer.name),
        ...(text === "" ? [] : [level === "public" ? `Influenced by public text. ${text}` : text]),
        ...(plan.proposer.publicSources ?? []).map((source) => `  from ${json(source)}`),
      ],
    ],
    [
      `Votes (needs ${approval.quorum})`,
      approval.votes.map((vote) =>
        [vote.decision, json(vote.name), `through ${vote.surface}`, new Date(vote.at).toISOString()]
          .concat(vote.note ? [`(${vote.note})`] : [], vote.reason ? [json(vote.reason)] : [])
          .join(" "),
      ),
    ],
    ["Policy", [json(plan.policy)]],
    ["Digest", [approval.digest]],
    ["Expires", [new Date(approval.expiresAt).toISOString()]],
    ["Facts it relies on", json(plan.facts, 2).split("\n")],
    ["Input", json(plan.input, 2).split("\n")],
  ];
  return sections
    .map(([title, lines]) => [title, ...(lines.length === 0 ? ["none"] : lines).map((line) => `  ${line}`)].join("\n"))
    .join("\n\n");
}

/** JSON in which control, direction and invisible characters are written out. */
function json(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(/[^\P{C}\n]/gu, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}
