import { expect, test } from "vitest";
import { approach, doorDesk, ids } from "./door-desk.ts";

test("one Discord user is one maintainer", async () => {
  const { maintainers } = await doorDesk();
  await expect(maintainers.link("2", ids.ada)).rejects.toMatchObject({ code: "discord_taken" });
  await expect(maintainers.link("2", "ada")).rejects.toMatchObject({ code: "not_a_discord_id" });
  await expect(maintainers.link("9", ids.cleo)).rejects.toMatchObject({ code: "unknown_maintainer" });
  expect(await maintainers.byDiscord(ids.ada)).toMatchObject({ id: "1", discord: ids.ada });
  // The same again changes nothing.
  expect(await maintainers.link("1", ids.ada)).toMatchObject({ discord: ids.ada });
  expect((await maintainers.list()).map(({ discord }) => discord)).toEqual([ids.ada, undefined]);
});

test("a link that is changed or taken back leaves nothing of the one before", async () => {
  const { maintainers, door } = await doorDesk();
  await maintainers.link("1", ids.cleo);
  expect(await door.admit(approach())).toMatchObject({ admitted: false, code: "not_a_maintainer" });
  expect(await door.admit(approach({ author: { id: ids.cleo } }))).toMatchObject({
    actor: { maintainer: { id: "1" } },
  });
  await maintainers.link("2", ids.ada);
  expect(await maintainers.byDiscord(ids.ada)).toMatchObject({ id: "2" });
  await maintainers.link("2", null);
  expect(await maintainers.byDiscord(ids.ada)).toBeNull();
});

test("who was removed gives way to a new record of the same person", async () => {
  const { maintainers } = await doorDesk();
  await maintainers.remove("1");
  expect(await maintainers.byDiscord(ids.ada)).toMatchObject({ id: "1", removedAt: expect.any(Number) });
  await maintainers.link("2", ids.ada);
  expect(await maintainers.byDiscord(ids.ada)).toMatchObject({ id: "2", removedAt: null });
});
