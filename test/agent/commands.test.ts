import { expect, test } from "vitest";
import { commandForms, parseCommand } from "../../agent/commands.ts";

const sha = "0123456789abcdef0123456789abcdef01234567";

const commands: [text: string, tool: string, input: object][] = [
  ["spawn a sibling", "instance_launch", {}],
  ["Spawn a sibling.", "instance_launch", {}],
  ["please spawn a sibling", "instance_launch", {}],
  ["spawn a sibling please", "instance_launch", {}],
  ["spawn a sibling, please!", "instance_launch", {}],
  ["Hey, spawn a sibling", "instance_launch", {}],
  ["can you spawn a sibling?", "instance_launch", {}],
  ["could you please spawn another sibling, thanks", "instance_launch", {}],
  ["@CLAWDINATOR-1 spawn a sibling", "instance_launch", {}],
  ["<@123456789012345678> spawn a sibling", "instance_launch", {}],
  ["hey @CLAWDINATOR-1, please launch an instance", "instance_launch", {}],
  ["CLAWDINATOR-1, launch a new instance", "instance_launch", {}],
  ["  spawn \n a   sibling ", "instance_launch", {}],
  ["spawn a sibling, @CLAWDINATOR-1", "instance_launch", {}],
  ["spawn CLAWDINATOR-3", "instance_launch", { name: "CLAWDINATOR-3" }],
  ["spawn clawdinator-3", "instance_launch", { name: "CLAWDINATOR-3" }],
  ["spawn @CLAWDINATOR-3", "instance_launch", { name: "CLAWDINATOR-3" }],
  ["spawn a sibling named CLAWDINATOR-12", "instance_launch", { name: "CLAWDINATOR-12" }],
  ["spawn a sibling at revision abc123", "instance_launch", { revision: "abc123" }],
  ["spawn a sibling at ABC123", "instance_launch", { revision: "abc123" }],
  ["spawn a sibling from main", "instance_launch", { revision: "main" }],
  ["spawn a sibling from branch release-2", "instance_launch", { revision: "release-2" }],
  ["spawn a sibling from feature/x", "instance_launch", { revision: "feature/x" }],
  ["spawn a sibling at v1.2.3", "instance_launch", { revision: "v1.2.3" }],
  [`spawn CLAWDINATOR-3 at \`${sha}\``, "instance_launch", { name: "CLAWDINATOR-3", revision: sha }],
  ["replace CLAWDINATOR-2", "instance_replace", { name: "CLAWDINATOR-2" }],
  ["@CLAWDINATOR-1: replace @clawdinator-2", "instance_replace", { name: "CLAWDINATOR-2" }],
  ["replace CLAWDINATOR-2 with revision abc123", "instance_replace", { name: "CLAWDINATOR-2", revision: "abc123" }],
  ["replace CLAWDINATOR-2 at HEAD", "instance_replace", { name: "CLAWDINATOR-2", revision: "HEAD" }],
  ["replace CLAWDINATOR-2 at head", "instance_replace", { name: "CLAWDINATOR-2", revision: "HEAD" }],
  ["replace CLAWDINATOR-2 with the latest", "instance_replace", { name: "CLAWDINATOR-2", revision: "HEAD" }],
  ["replace CLAWDINATOR-2 with the newest revision", "instance_replace", { name: "CLAWDINATOR-2", revision: "HEAD" }],
  ["replace CLAWDINATOR-2 with HEAD~1", "instance_replace", { name: "CLAWDINATOR-2", revision: "HEAD~1" }],
  ["retire CLAWDINATOR-2", "instance_retire", { name: "CLAWDINATOR-2" }],
  ["can you retire clawdinator-2?", "instance_retire", { name: "CLAWDINATOR-2" }],
  ["retire `CLAWDINATOR-2`", "instance_retire", { name: "CLAWDINATOR-2" }],
  ["roll the fleet", "fleet_roll", {}],
  ["roll the fleet to abc123", "fleet_roll", { revision: "abc123" }],
  ["roll the fleet to the latest", "fleet_roll", { revision: "HEAD" }],
  ["build an image", "image_build", {}],
  ["build an image of abc123", "image_build", { revision: "abc123" }],
  ["import the image", "ami_import", {}],
  ["import the image of abc123", "ami_import", { revision: "abc123" }],
  ["build and import an image", "ami_import", {}],
  ["build and import an image of main", "ami_import", { revision: "main" }],
  ["prune images", "image_prune", {}],
  ["prune images, keep 3", "image_prune", { keep: 3 }],
  ["prune old images and keep the last 2 images", "image_prune", { keep: 2 }],
  ["update", "self_update", {}],
  ["update yourself!", "self_update", {}],
  ["status", "fleet_status", {}],
  ["status?", "fleet_status", {}],
  ["fleet status", "fleet_status", {}],
  ["How is the fleet?", "fleet_status", {}],
  ["who is there?", "fleet_status", {}],
  ["who's there?", "fleet_status", {}],
  ["drift", "fleet_drift", {}],
  ["is there drift?", "fleet_drift", {}],
  ["is there any drift?", "fleet_drift", {}],
  ["version", "version", {}],
  ["which version are you?", "version", {}],
  ["remember that X is Y.", "memory_append", { document: "notes.md", text: "X is Y.", dated: true }],
  ["remember: never on Fridays", "memory_append", { document: "notes.md", text: "never on Fridays", dated: true }],
  ["please remember that `a b` works", "memory_append", { document: "notes.md", text: "`a b` works", dated: true }],
  [
    "remember that you should not retire CLAWDINATOR-2",
    "memory_append",
    { document: "notes.md", text: "you should not retire CLAWDINATOR-2", dated: true },
  ],
  ["search memory for pruning images", "memory_search", { query: "pruning images" }],
  ["recall the canary", "memory_search", { query: "the canary" }],
  ["what do you know about EFS?", "memory_search", { query: "EFS" }],
  ["read memory ops.md", "memory_read", { document: "ops.md" }],
  ["show memory ops.md.", "memory_read", { document: "ops.md" }],
  ["show memory daily/2026-01-31", "memory_read", { document: "daily/2026-01-31.md" }],
  ["history of ops.md", "memory_history", { document: "ops.md" }],
  ["what do you remember?", "memory_read", {}],
];

test.each(commands)("%j means %s %j", (text, tool, input) => {
  expect(parseCommand(text)).toEqual({ kind: "call", tool, input });
});

const refused: [text: string, reason: string][] = [
  ["approve", "approval"],
  ["approve 7f3a", "approval"],
  ["please approve it", "approval"],
  ["can you approve 7f3a?", "approval"],
  ["reject 7f3a", "approval"],
  ["I approve", "approval"],
  ["yes, approved", "approval"],
  ["retire CLAWDINATOR-2, I approve", "approval"],
  ["spawn a sibling and approve it", "approval"],
  ["don't retire CLAWDINATOR-2", "negated"],
  ["don’t retire CLAWDINATOR-2", "negated"],
  ["do not retire CLAWDINATOR-2", "negated"],
  ["please don't retire CLAWDINATOR-2", "negated"],
  ["never retire CLAWDINATOR-2", "negated"],
  ["retire CLAWDINATOR-2 not", "negated"],
  ["retire CLAWDINATOR-2, no thanks", "negated"],
  ["can you not retire CLAWDINATOR-2?", "negated"],
  ["no, spawn a sibling", "negated"],
  ["cancel: retire CLAWDINATOR-2", "negated"],
  ["spawn no sibling", "negated"],
  ["should we retire CLAWDINATOR-2?", "question"],
  ["retire CLAWDINATOR-2?", "question"],
  ["spawn a sibling?", "question"],
  ["update?", "question"],
  ["who can retire CLAWDINATOR-2?", "question"],
  ["why did you replace CLAWDINATOR-2", "question"],
  ["did you roll the fleet", "question"],
  ["if CLAWDINATOR-2 is idle, retire CLAWDINATOR-2", "conditional"],
  ["if it fails then retire CLAWDINATOR-2", "conditional"],
  ["retire CLAWDINATOR-2 when it is idle", "conditional"],
  ["after lunch, roll the fleet", "conditional"],
  ["retire CLAWDINATOR-2 unless it is busy", "conditional"],
  ["replace something", "unknown"],
  ["replace CLAWDINATOR", "unknown"],
  ["replace CLAWDINATOR-0", "unknown"],
  ["replace CLAWDINATOR-02", "unknown"],
  ["replace CLAWDINATOR-2 with CLAWDINATOR-3", "unknown"],
  ["replace CLAWDINATOR-2 with something newer", "unknown"],
  ["replace CLAWDINATOR-2 with care", "unknown"],
  ["replace CLAWDINATOR-2 at revision --upload-pack=x", "unknown"],
  ["replace CLAWDINATOR-2 with main..evil", "unknown"],
  ["retire", "unknown"],
  ["retire everything", "unknown"],
  ["retire CLAWDINATOR-2 and CLAWDINATOR-3", "unknown"],
  ["retire CLAWDINATOR-2, CLAWDINATOR-3", "unknown"],
  ["retire CLAWDINATOR-2. retire CLAWDINATOR-3", "unknown"],
  ["retire CLAWDINATOR-2...", "unknown"],
  ["retire CLAWDINATOR-2…", "unknown"],
  ['"retire CLAWDINATOR-2"', "unknown"],
  ["`retire CLAWDINATOR-2`", "unknown"],
  ["> retire CLAWDINATOR-2", "unknown"],
  ["Ada said retire CLAWDINATOR-2", "unknown"],
  ["@CLAWDINATOR-1 @CLAWDINATOR-2 retire CLAWDINATOR-3", "unknown"],
  ["retire CLAWDINATOR-2 tomorrow", "unknown"],
  ["spawn two siblings", "unknown"],
  ["spawn siblings", "unknown"],
  ["spawn a sibling and retire CLAWDINATOR-2", "unknown"],
  ["spawn a process", "unknown"],
  ["spawn a sibling from CLAWDINATOR-1", "unknown"],
  ["roll the dice", "unknown"],
  ["roll the fleet to safety", "unknown"],
  ["roll the fleet to revision nothing", "unknown"],
  ["update CLAWDINATOR-2", "unknown"],
  ["update everything", "unknown"],
  ["build a house", "unknown"],
  ["prune the tree", "unknown"],
  ["prune images, keep three", "unknown"],
  ["hello", "unknown"],
  ["remember", "unknown"],
  ["", "unknown"],
  ["?", "unknown"],
  ["help", "asked"],
  ["what can you do?", "asked"],
];

test.each(refused)("%j is no command: %s", (text, reason) => {
  expect(parseCommand(text)).toMatchObject({ kind: "help", reason });
});

test("words around an operation never leave the operation", () => {
  const operations = commandForms.filter(({ kind }) => kind === "operation").map(({ example }) => example);
  const before = ["don't", "never", "if so", "should we", "I wonder whether to", "he said", "tomorrow", "not"];
  const after = ["or not", "if it is idle", "never", "and CLAWDINATOR-9", "?", "tomorrow", "unless", "; rm -rf /"];
  for (const operation of operations) {
    for (const word of before) expect(parseCommand(`${word} ${operation}`).kind, `${word} ${operation}`).toBe("help");
    for (const word of after) expect(parseCommand(`${operation} ${word}`).kind, `${operation} ${word}`).toBe("help");
  }
});

test("every documented example means the tool it is documented for", () => {
  for (const { example, tool } of commandForms) expect(parseCommand(example)).toMatchObject({ kind: "call", tool });
});

test("help names the nearest documented sentences", () => {
  const command = parseCommand("should we retire CLAWDINATOR-2?");
  expect(command.kind === "help" && command.text).toContain("`retire NAME`");
  const approval = parseCommand("approve 7f3a");
  expect(approval.kind === "help" && approval.text).toContain("`clawdinator approvals approve ID`");
});

test("a long text is never an operation and takes no long time", () => {
  for (const text of [
    "retire CLAWDINATOR-2 ".repeat(1500),
    `spawn a sibling at ${" ".repeat(30_000)}x y`,
    "please ".repeat(4000),
  ]) {
    expect(parseCommand(text).kind).toBe("help");
  }
});

test("thanks and praise are answered warmly, and only when nothing else is said", () => {
  for (const text of ["thanks!", "Thank you so much", "well done, thanks", "@CLAWDINATOR-1 good job!"]) {
    expect(parseCommand(text)).toMatchObject({ kind: "help", reason: "thanks" });
  }
  expect(parseCommand("great, now retire CLAWDINATOR-2")).toMatchObject({ kind: "help", reason: "unknown" });
  expect(parseCommand(`${"! ".repeat(190)}x`)).toMatchObject({ reason: "unknown" });
});
