/** What is kept, and how long, as rows: the lengths are the constants that the program removes by. */
import { decisionKeptMs } from "../agent/gateway/approval-record.ts";
import { onceKeptMs } from "../agent/gateway/audit.ts";
import { cardKeptMs } from "../agent/gateway/channels/discord/cards/card-records.ts";
import { interactionKeptMs } from "../agent/gateway/channels/discord/commands/interactions-once.ts";
import { cursorKeptMs } from "../agent/gateway/channels/discord/listen/cursor.ts";
import { takenKeptMs } from "../agent/gateway/channels/discord/listen/unaddressed.ts";
import { postKeptMs } from "../agent/gateway/channels/discord/speak/post-record.ts";
import { claimKeptMs } from "../agent/gateway/inbox.ts";
import { sessionKeptMs } from "../agent/gateway/maintainers.ts";
import { outcomesKept } from "../agent/gateway/schedule/job-record.ts";
import { dayKeptMs } from "../agent/gateway/spend/day-record.ts";
import { logBytes, logParts } from "../agent/gateway/upkeep/rotate-logs.ts";
import { strayKeptMs } from "../agent/gateway/upkeep/strays.ts";
import { heartbeatKeptMs } from "../tools/fleet/heartbeats.ts";

const days = (ms: number): string => {
  const count = ms / 86_400_000;
  return `${count} ${count === 1 ? "day" : "days"}`;
};

/** What, where, a day (ten busy instances), how long. */
export function keptRows(): string[][] {
  return [
    ["audit log", "`audit/`", "500", "for good"],
    [
      "maintainers, links, names, the policy and desired state in force",
      "`maintainers/`, `names/NAME`, …",
      "0",
      "for good",
    ],
    ["conversations, memory, workspaces", "files", "–", "for good: they are the fleet's own knowledge"],
    [
      "whose a conversation is, and the public text in it",
      "`conversations/`, `discord/sources/`",
      "50",
      "for good, like the conversation",
    ],
    ["messages that wait", "`messages/`", "0", "until they are answered"],
    ["answers", "`inbox/`", "2,500", `${days(claimKeptMs)} after the answer`],
    ["posts in Discord", "`discord/posts/`", "2,500", days(postKeptMs)],
    ["requests to nobody, and who took them", "`discord/unaddressed/`", "100", days(takenKeptMs)],
    [
      "how far channels were heard",
      "`discord/cursors/`",
      "0",
      `with the name; ${days(cursorKeptMs)} after nobody has had it`,
    ],
    ["presses and commands in Discord", "`discord/interactions/`", "200", days(interactionKeptMs)],
    [
      "cards with their buttons",
      "`discord/cards/`, `discord/buttons/`",
      "80",
      `${days(cardKeptMs)} after they were closed`,
    ],
    [
      "approvals",
      "`approvals/`",
      "40",
      `${days(decisionKeptMs)} after they would have expired; a rejected commit's for good`,
    ],
    [
      "operations",
      "`operations/`",
      "20",
      `${days(decisionKeptMs)} after the end; one that could not be undone until it is resumed`,
    ],
    ["which events were told", "`audit-once/`", "400", `with their approval or operation; else ${days(onceKeptMs)}`],
    [
      "spending",
      "`spend/DAY/`",
      "10",
      `${days(dayKeptMs)}; then one record a day with the same sums, for good (\`spend-folded/\`)`,
    ],
    ["jobs of the schedule", "`schedule/`", "0", `the last ${outcomesKept} runs of each`],
    ["sessions of the console", "`sessions/`", "10", `${days(sessionKeptMs)} after they end`],
    ["heartbeats of former holders and candidates", "`names/NAME/EPOCH/`, `candidates/`", "2", days(heartbeatKeptMs)],
    [
      "directories of former local instances",
      "`instances/`",
      "0",
      `removed by the operation; what is left over, after ${days(strayKeptMs)}`,
    ],
    [
      "logs",
      "`instances/ID/logs/`",
      "–",
      `${logParts} parts of ${logBytes / 1024 / 1024} MB of each, and the current one`,
    ],
  ];
}
