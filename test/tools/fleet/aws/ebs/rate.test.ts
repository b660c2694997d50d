import { describe, expect, it } from "vitest";
import { createRateController } from "../../../../../tools/fleet/aws/ebs/rate.ts";

/** Plays a service with a clock of its own: `answer` decides each request's fate. */
async function play(options: {
  requests: number;
  latencyMs: number;
  answer(atMs: number, request: number): "ok" | "throttled" | "failed";
}): Promise<{ concurrency: number; limit: number | null }> {
  let clock = 0;
  const rate = createRateController({ most: 64, now: () => clock });
  const signal = new AbortController().signal;
  for (let request = 0; request < options.requests; ) {
    const together = rate.concurrency();
    for (let one = 0; one < together; one++) if (rate.limit() === null) await rate.enter(signal);
    clock += options.latencyMs;
    for (let one = 0; one < together; one++) if (rate.limit() === null) rate.leave(options.answer(clock, request++));
    if (rate.limit() !== null) break;
  }
  return { concurrency: rate.concurrency(), limit: rate.limit() };
}

describe("the rate controller", () => {
  it("raises concurrency while all goes well", async () => {
    expect(await play({ requests: 5000, latencyMs: 20, answer: () => "ok" })).toEqual({ concurrency: 64, limit: null });
  });

  it("does not slow down for stray throttles and failures", async () => {
    const answer = (_: number, request: number) => {
      if (request % 100 === 50) return "throttled";
      return request % 100 === 0 ? "failed" : "ok";
    };
    expect(await play({ requests: 5000, latencyMs: 20, answer })).toEqual({ concurrency: 64, limit: null });
  });

  it("takes the rate that the service lets through once it throttles in earnest", async () => {
    let allowed = 0;
    const { limit } = await play({
      requests: 5000,
      latencyMs: 20,
      answer: (at, request) => {
        const isAllowed = request >= 200 && allowed < (at / 1000) * 30;
        if (isAllowed) allowed++;
        return isAllowed ? "ok" : "throttled";
      },
    });
    expect(limit).not.toBeNull();
    expect(limit ?? 0).toBeLessThan(40);
  });

  it("takes fewer at a time when most answers are failures", async () => {
    const { concurrency, limit } = await play({ requests: 3000, latencyMs: 300, answer: () => "failed" });
    expect(concurrency).toBe(2);
    expect(limit).toBeNull();
  });
});
