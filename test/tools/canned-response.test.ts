import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cannedResponse } from "../../tools/canned-response.ts";
import { workspaceContext } from "../support/workspace-context.ts";

const values = { author: "ada", number: "12", reason: "the parser does this already" };
const variantOf = (result: { data?: unknown }) => (result.data as { variant: number }).variant;

test("gives a line, or a line with the text, with the values in their places", async () => {
  const { run } = await workspaceContext();
  const line = await run(cannedResponse, { name: "closing", values });
  expect(line.text).toContain("the parser does this already");
  expect(line.text).not.toMatch(/[{}\n]/);
  const full = await run(cannedResponse, { name: "closing", form: "full", values });
  expect(full.text).toMatch(/^[^\n]+\n\nClosed does not mean worthless/);
});

test("never gives the same variant twice in a row, and every variant in its turn", async () => {
  const { run } = await workspaceContext();
  const seen: number[] = [];
  for (let index = 0; index < 20; index++)
    seen.push(variantOf(await run(cannedResponse, { name: "thanks", form: index % 2 ? "full" : "line", values })));
  for (const [index, variant] of seen.slice(1).entries()) expect(variant).not.toBe(seen[index]);
  expect(new Set(seen).size).toBe(5);
});

test("differs from the last one in the same repository, whichever conversation it came from", async () => {
  const { run } = await workspaceContext();
  const repository = "acme/tools";
  let last = -1;
  for (const conversation of ["a", "b", "a", "c", "a", "b"]) {
    const result = await run(cannedResponse, { name: "closing", values, repository }, { conversation });
    expect(variantOf(result)).not.toBe(last);
    last = variantOf(result);
  }
});

test("the same call gets the same variant again, and calls at once get different ones", async () => {
  const { run } = await workspaceContext();
  const one = await run(cannedResponse, { name: "closing", values }, { call: "c1" });
  expect((await run(cannedResponse, { name: "closing", values }, { call: "c1" })).text).toBe(one.text);
  const [two, three] = await Promise.all([
    run(cannedResponse, { name: "closing", values }),
    run(cannedResponse, { name: "closing", values }),
  ]);
  expect(new Set([one, two, three].map(variantOf)).size).toBe(3);
});

test("goes on without what it remembered, lost or broken", async () => {
  const { run, state } = await workspaceContext();
  await run(cannedResponse, { name: "closing", values });
  writeFileSync(join(state, "canned-responses.json"), "{ torn");
  await run(cannedResponse, { name: "closing", values });
  rmSync(state, { recursive: true });
  await run(cannedResponse, { name: "closing", values });
});

test("names every value that is missing, whichever variant is due", async () => {
  const { run } = await workspaceContext();
  await expect(run(cannedResponse, { name: "closing", values: { number: " " } })).rejects.toMatchObject({
    code: "missing_values",
    message: "the response “closing” needs values for: author, number, reason",
  });
  await expect(run(cannedResponse, { name: "closing", values: { ...values, reason: "" } })).rejects.toThrow(": reason");
});

test("a value cannot call people, add markup or ask for further values", async () => {
  const { run } = await workspaceContext();
  const reason = "@everyone **look** {author} <@1234> [here](http://x.test)\n# Heading";
  const { text } = await run(cannedResponse, { name: "closing", values: { ...values, reason } });
  expect(text).toContain("@\u200beveryone \\*\\*look\\*\\* \\{author\\} \\<@\u200b1234\\> \\[here\\]");
  expect(text).not.toContain("\n");
});

test("lists what there is with the values that each needs, and names them when asked for another one", async () => {
  const { directory, run } = await workspaceContext();
  const { text } = await run(cannedResponse);
  expect(text).toMatch(/^- duplicate: .* Values: author, number, original\.$/m);
  await expect(run(cannedResponse, { name: "poem" })).rejects.toMatchObject({
    code: "unknown_response",
    hint: expect.stringContaining("approving, changes, closing"),
  });
  const few = "---\nname: own\ndescription: too few lines\noccasion: waiting\nlines: [a, b]\n---\ntext\n";
  writeFileSync(join(directory, "canned/own.md"), few);
  await expect(run(cannedResponse, { name: "own" })).rejects.toThrow("canned/own.md cannot be used: lines:");
});
