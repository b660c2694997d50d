import { expect, test } from "vitest";
import { regenerate } from "../../docs/generate.ts";
import { operations } from "../../tools/operations.ts";
import { readTools } from "../../tools/read-tools.ts";

const block = (name: string, body: string): string =>
  `before\n\n<!-- generated:${name} -->\n${body}\n<!-- /generated -->\n\nafter\n`;

test("fills the configuration table with key, default and meaning", () => {
  const text = regenerate(block("configuration", "old text"), "README.md");
  expect(text).toContain("| `gateway.port` | `18789` | port of the console; 0 takes a free one |");
  expect(text).toContain("| `models.personality.baseUrl` | – |");
  expect(text).not.toContain("old text");
  expect(text.startsWith("before\n\n<!-- generated:configuration -->\n")).toBe(true);
  expect(text.endsWith("<!-- /generated -->\n\nafter\n")).toBe(true);
});

test("lists every tool and every command sentence", () => {
  const text = regenerate(block("tools", "") + block("commands", ""), "docs/x.md");
  expect(text).toMatch(/\| `instance_launch` \| proposes \|/);
  expect(text).toMatch(/\| `fleet_status` \| reads \|/);
  expect(text).toContain("spawn a sibling");
});

test("gives the same text when it is run again, and leaves text without blocks alone", () => {
  const once = regenerate(block("tools", ""), "README.md");
  expect(regenerate(once, "README.md")).toBe(once);
  expect(regenerate("no block\n", "README.md")).toBe("no block\n");
});

test("refuses a block that nobody generates, and one without an end, by file and name", () => {
  expect(() => regenerate(block("weather", ""), "docs/x.md")).toThrow("docs/x.md: nobody generates “weather”");
  expect(() => regenerate(block("constructor", ""), "docs/x.md")).toThrow("nobody generates");
  expect(() => regenerate("<!-- generated:tools -->\n", "docs/x.md")).toThrow(
    "“tools” has no <!-- /generated --> line",
  );
});

test("describes each command with its own options, their defaults and the example of its help", () => {
  const text = regenerate(block("command-line", ""), "docs/x.md");
  expect(text).toContain("### `clawdinator ask <text...>`\n\nSay something and wait for the answer.");
  expect(text).toContain("| `--conversation <id>` | – | conversation to go on with; default: cli-NAME |");
  expect(text).toContain("#### `clawdinator memory edit <document>`");
  expect(text).toContain("| `--before <text>` | required |");
  expect(text).toContain('```sh\nclawdinator ask "spawn a sibling" --wait\n```');
  // Options of every command are described once, hidden ones nowhere.
  expect(text.match(/`--json`/g)).toHaveLength(1);
  expect(text).not.toContain("--instance <id>");
});

test("lists the routes of the port, and apart from them those of the control socket, with who may call them", () => {
  const routes = regenerate(block("routes", ""), "docs/x.md");
  expect(routes).toContain("| `GET /healthz` | anyone | 200 while the process lives |");
  expect(routes).toMatch(/\| `POST \/api\/approvals\/:id` \| a maintainer \|/);
  expect(routes).toContain("| `GET /api/memory/:path` |");
  expect(routes).not.toContain("/control/");
  const control = regenerate(block("control-routes", ""), "docs/x.md");
  expect(control).toContain("| `POST /control/stop` | a maintainer |");
  expect(control).not.toContain("/api/");
});

test("lists metrics, and operations with their input and the policy of a new fleet", () => {
  const text = regenerate(block("metrics", "") + block("operations", ""), "docs/x.md");
  expect(text).toMatch(/\| `clawdinator_ready` \| gauge \| .+ \|/);
  expect(text).toMatch(/\| `instance_retire` \| .+ \| `name` \(required\): .+ \| approve 1, within 24 h \|/);
  expect(text).toMatch(/\| `image_build` \| .+ \| auto \|/);
  expect(text).toMatch(/\| `policy_change` \| .+ \| approve 2 \(1 while there is one approver\), within 24 h \|/);
});

test("marks the sentences whose operation this version lacks", () => {
  const rows = regenerate(block("commands", ""), "docs/x.md").split("\n");
  const known = new Set([...readTools, ...operations].map(({ name }) => name));
  for (const row of rows.filter((line) => / (?:operation|read) \|/.test(line))) {
    const tool = /`([a-z_]+)` \| (?:operation|read) \|/.exec(row)?.[1] ?? "";
    expect(row.includes("this version has no such operation"), row).toBe(!known.has(tool));
  }
});
