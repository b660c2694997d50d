import { expect, test } from "vitest";
import { again } from "../../../../agent/gateway/channels/discord/again.ts";

async function attemptsAt(...errors: object[]): Promise<{ attempts: number; ended: unknown }> {
  let attempts = 0;
  const ended = await again(async () => {
    const error = errors[attempts++];
    if (error) throw Object.assign(new Error("failed"), error);
    return "answered";
  }).catch((error: unknown) => error);
  return { attempts, ended };
}

test("a fault of Discord's and a broken connection are tried again, three times at most", async () => {
  const broken = { code: "ECONNRESET" };
  expect(await attemptsAt({ status: 502 }, broken)).toEqual({ attempts: 3, ended: "answered" });
  expect(await attemptsAt({ code: "UND_ERR_SOCKET" })).toEqual({ attempts: 2, ended: "answered" });
  expect((await attemptsAt(broken, broken, broken, broken)).attempts).toBe(3);
});

test("Discord's word, a time that has run out and a fault in the program are final", async () => {
  for (const error of [{ status: 403, code: 50_013 }, { status: 404 }, { name: "AbortError" }, {}])
    expect((await attemptsAt(error)).attempts).toBe(1);
});
