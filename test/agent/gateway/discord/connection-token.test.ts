import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { configSchema } from "../../../../agent/config.ts";
import { inviteLink } from "../../../../agent/gateway/channels/discord/connection/settings-check.ts";
import { tokenReader } from "../../../../agent/gateway/channels/discord/connection/token.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const token = (word: string): string => `${word}-token-0123456789`;

function desk(options: { discord?: object; environment?: NodeJS.ProcessEnv; tokenSecret?: string } = {}) {
  const home = temporaryDirectory();
  const config = configSchema.parse({ channels: { discord: options.discord ?? {} } });
  const put = (path: string, text: string): void => {
    mkdirSync(join(home, "secrets", "CLAWDINATOR-2"), { recursive: true });
    writeFileSync(join(home, path), text);
  };
  const read = tokenReader({
    config,
    home,
    name: "CLAWDINATOR-2",
    environment: options.environment ?? {},
    tokenSecret: async () => options.tokenSecret ?? null,
  });
  return { home, put, read };
}

test("a name's own secret goes before the shared one, and that before the variable; each is read anew", async () => {
  const { put, read } = desk({ environment: { DISCORD_TOKEN: token("variable") } });
  expect(await read()).toBe(token("variable"));
  put("secrets/discord-token", `${token("shared")}\n`);
  expect(await read()).toBe(token("shared"));
  put("secrets/CLAWDINATOR-2/discord-token", `Bot ${token("own")}\n`);
  expect(await read()).toBe(token("own"));
  put("secrets/CLAWDINATOR-2/discord-token", token("rotated"));
  expect(await read()).toBe(token("rotated"));
});

test("a name with a secret of the pool never takes another bot's token", async () => {
  const { put, read } = desk({
    environment: { DISCORD_TOKEN: token("variable") },
    tokenSecret: "discord-token-2",
  });
  put("secrets/discord-token", token("shared"));
  expect(await read()).toBeNull();
  put("secrets/discord-token-2", token("second"));
  expect(await read()).toBe(token("second"));
});

test("a named file must be there and hold a token, and no message shows what it holds", async () => {
  const missing = desk({ discord: { tokenFile: "/nowhere/token" } });
  await expect(missing.read()).rejects.toMatchObject({ code: "discord_token_unusable" });
  const { put, read } = desk();
  for (const text of ["", "   \n", "a secret with spaces in it", `${token("two")}\nlines`]) {
    put("secrets/discord-token", text);
    const error = await read().catch((caught: Error) => caught);
    expect(error).toMatchObject({ code: "discord_token_unusable" });
    expect(String(error)).not.toMatch(/spaces in|two-token/);
  }
});

test("the guide's example is a configuration, and its link asks for what the program needs", () => {
  const guide = readFileSync(join(import.meta.dirname, "../../../../docs/discord.md"), "utf8");
  const example = /```json\n([\s\S]*?)```/.exec(guide)?.[1] ?? "";
  const { discord } = configSchema.parse(JSON.parse(example)).channels;
  expect(Object.values(discord.guilds)[0]?.channels).toHaveProperty("clawdributors-test");
  expect(guide).toContain(inviteLink("APPLICATION_ID"));
});
