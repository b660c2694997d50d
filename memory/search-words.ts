/** Words that say nothing about what is looked for, and words that people use for one another. */
import { stem } from "./search-stem.ts";

/** Left out of a question, unless it has no other words. */
export const stopWords: ReadonlySet<string> = new Set(
  (
    "a about above after again all also am an and any anybody anyone anything are aren as at be because been before being " +
    "below between both but by can cannot could couldn did didn do does doesn doing don done down during each either " +
    "else ever every everybody everyone everything few for from further get gets getting give given gives go goes going " +
    "gone got had has have having he her here hers him his how however i if in into is isn it its itself just know let " +
    "like ll make makes many may me might mine more most much must my need needs neither no nor not nothing now of off " +
    "on once one only or other others our out over own please put rather re really said same say says see shall she " +
    "should so some somebody someone something still such sure take takes tell than that the their them then there " +
    "these they thing things this those through to too under until up upon us use used uses using ve very want wants was " +
    "way we well were what whatever when where whether which while who whole whom whose why will with within without " +
    "won would yes yet you your"
  ).split(" "),
);

/**
 * Groups of words of general English and of running programs. Kept short: each word more finds more that was not meant.
 */
const groups = [
  "delete remove erase drop discard",
  "stop halt end terminate abort quit exit",
  "start begin launch boot",
  "create generate build",
  "change modify edit update alter",
  "replace swap substitute",
  "show display print",
  "find search locate lookup",
  "folder directory",
  "file document",
  "error failure exception fault",
  "fail break crash",
  "wait delay pause sleep",
  "limit maximum cap",
  "machine host computer server",
  "setting option configuration",
  "secret password credential",
  "picture image photo",
  "copy duplicate clone",
  "fast quick rapid",
  "big large huge",
  "small little tiny",
  "fix repair correct",
  "allow permit enable",
  "forbid deny refuse block reject disallow prohibit",
  "send transmit deliver",
  "receive accept",
  "connection link",
  "check verify validate test",
  "old previous former",
  "job task",
  "ask request query",
  "answer reply response",
  "join combine merge concatenate",
  "split divide separate",
  "save store persist",
  "restore recover",
  "backup snapshot",
  "money cost price expense",
  "person user human",
  "rule policy",
  "permission right access",
  "log journal",
  "choose select pick",
  "watch monitor observe",
  "list enumerate",
  "length size",
  "empty blank",
  "hide conceal",
  "random arbitrary",
  "unique distinct",
  "shutdown poweroff",
  "deploy release rollout",
  "schedule cron",
  "upgrade update",
  "revert rollback undo",
  "shared common",
];

/** Short forms that people write in notes, each with what it stands for. */
const shortForms = [
  "addr address",
  "admin administrator",
  "app application",
  "arg argument",
  "async asynchronous",
  "auth authentication authorization",
  "cert certificate",
  "config configuration",
  "cpu processor",
  "db database",
  "dep dependency",
  "dev development",
  "dir directory",
  "doc documentation",
  "env environment",
  "exec execute",
  "id identifier",
  "img image",
  "info information",
  "init initialize",
  "lib library",
  "max maximum",
  "mem memory",
  "min minimum",
  "msg message",
  "num number",
  "param parameter",
  "perm permission",
  "pkg package",
  "prod production",
  "proc process",
  "pwd password",
  "ram memory",
  "ref reference",
  "repo repository",
  "spec specification",
  "stat statistics",
  "sync synchronous",
  "temp temporary",
  "tmp temporary",
  "util utility",
  "var variable",
];

const others = new Map<string, Set<string>>();
for (const group of [...groups, ...shortForms]) {
  const stems = group.split(" ").map(stem);
  for (const one of stems) {
    others.set(one, new Set([...(others.get(one) ?? []), ...stems.filter((other) => other !== one)]));
  }
}

/** Stems of the words that may stand for the one with this stem. */
export function synonymsOf(root: string): string[] {
  return [...(others.get(root) ?? [])];
}
