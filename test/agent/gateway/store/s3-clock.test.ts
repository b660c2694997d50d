import fc from "fast-check";
import { expect, test } from "vitest";
import { createS3Clock, type S3Clock } from "../../../../agent/gateway/store/s3-clock.ts";

/** A machine whose clocks are set by hand, and an S3 whose time is its own. */
function machine(options: { s3AheadMs: number; driftPerMs?: number }): {
  clock: S3Clock;
  pass(ms: number): void;
  sleep(ms: number): void;
  ask(roundTripMs: number): void;
  s3Time(): number;
} {
  let elapsed = 0;
  let asleep = 0;
  const start = 1_700_000_000_000;
  const s3Time = (): number => start + options.s3AheadMs + asleep + elapsed * (1 + (options.driftPerMs ?? 0));
  const clock = createS3Clock({ monotonic: () => elapsed, wall: () => start + elapsed + asleep });
  return {
    clock,
    s3Time,
    pass: (ms) => {
      elapsed += ms;
    },
    sleep: (ms) => {
      asleep += ms;
    },
    ask(roundTripMs) {
      const sentAt = elapsed;
      elapsed += roundTripMs / 2;
      const dateMs = Math.floor(s3Time() / 1000) * 1000;
      elapsed += roundTripMs / 2;
      clock.observe({ dateMs, sentAt, receivedAt: elapsed });
    },
  };
}

test("it is never ahead of S3, never further behind than it says, and never goes back", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -5_000_000, max: 5_000_000 }),
      fc.double({ min: -100e-6, max: 100e-6, noNaN: true }),
      fc.array(fc.record({ pass: fc.integer({ min: 0, max: 120_000 }), trip: fc.integer({ min: 1, max: 900 }) }), {
        minLength: 1,
        maxLength: 40,
      }),
      (s3AheadMs, driftPerMs, steps) => {
        const one = machine({ s3AheadMs, driftPerMs });
        let last = 0;
        for (const { pass, trip } of steps) {
          one.ask(trip);
          one.pass(pass);
          const read = one.clock.read() ?? Number.NaN;
          expect(read).toBeLessThanOrEqual(one.s3Time());
          expect(one.s3Time() - read).toBeLessThanOrEqual(one.clock.errorMs());
          expect(read).toBeGreaterThanOrEqual(last);
          last = read;
        }
      },
    ),
  );
});

test("many answers tell the time more exactly than the whole seconds of one", () => {
  const one = machine({ s3AheadMs: 123_456 });
  one.ask(20);
  expect(one.clock.errorMs()).toBeGreaterThan(1_000);
  for (let n = 0; n < 50; n++) {
    one.pass(137);
    one.ask(20);
  }
  expect(one.clock.errorMs()).toBeLessThan(150);
});

test("before the first answer, long after the last, and after the machine slept it must ask", () => {
  const one = machine({ s3AheadMs: 0 });
  expect(one.clock.read()).toBeNull();
  one.ask(20);
  expect(one.clock.read()).not.toBeNull();
  one.pass(601_000);
  expect(one.clock.read()).toBeNull();
  one.ask(20);
  one.sleep(60_000);
  expect(one.clock.read()).toBeNull();
  one.ask(20);
  expect(one.s3Time() - (one.clock.read() ?? 0)).toBeLessThanOrEqual(one.clock.errorMs());
});

test("a lease that its holder believes in is over for no taker, whatever both know of the time", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 999 }),
      fc.array(fc.integer({ min: 1, max: 800 }), { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 800 }), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 0, max: 30_000 }),
      (phase, holderTrips, takerTrips, wait) => {
        const leaseMs = 15_000;
        const holder = machine({ s3AheadMs: phase });
        const taker = machine({ s3AheadMs: phase });
        for (const trip of holderTrips) holder.ask(trip);
        const grantedAt = holder.s3Time();
        const leaseUntil = (holder.clock.read() ?? 0) + leaseMs;
        // What presence.ts takes off what it allows itself.
        const believesUntil = grantedAt + leaseMs - holder.clock.errorMs();
        for (const trip of takerTrips) taker.ask(trip);
        taker.pass(wait);
        const isOver = (taker.clock.read() ?? 0) > leaseUntil;
        if (isOver) expect(taker.s3Time()).toBeGreaterThan(believesUntil);
      },
    ),
  );
});
