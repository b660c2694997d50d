import { expect, test } from "vitest";
import { regenerate } from "../../docs/generate.ts";

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
