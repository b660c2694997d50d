import { expect, test } from "vitest";
import { health } from "../../agent/cli/fleet.ts";

const at = Date.UTC(2026, 0, 2, 3, 4, 5);
const passing = { name: "mind", ok: true, detail: "answers" };
const failing = { name: "proof", ok: false, detail: "memory is read-only" };

test("names the failing checks of an instance that is heard of", () => {
  expect(health({ state: "ready", checks: [passing], heartbeatAgeMs: 900 }, at)).toBe("ok");
  expect(health({ state: "candidate", checks: [passing, failing], heartbeatAgeMs: 900 }, at)).toBe("failing: proof");
  expect(health({ state: "booting", checks: [], heartbeatAgeMs: null }, at)).toBe("–");
});

test("says since when a lost instance was not heard, whatever its checks were", () => {
  const lost = { state: "lost" as const, checks: [passing] };
  expect(health({ ...lost, heartbeatAgeMs: 5_000 }, at)).toBe("no heartbeat since 2026-01-02 03:04:00");
  expect(health({ ...lost, heartbeatAgeMs: null }, at)).toBe("no heartbeat ever");
});
