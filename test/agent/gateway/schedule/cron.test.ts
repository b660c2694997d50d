import { expect, onTestFinished, test, vi } from "vitest";
import { type CronTimes, loadCron } from "../../../../agent/gateway/schedule/cron.ts";

async function timesOf(cron: string, timezone = "UTC"): Promise<CronTimes> {
  const times = (await loadCron()).times({ cron, timezone });
  onTestFinished(() => times.close());
  return times;
}

const at = (text: string): number => Date.parse(text);
const iso = (time: number | null): string | null => (time === null ? null : new Date(time).toISOString().slice(0, 16));

function following(times: CronTimes, from: string, many: number): (string | null)[] {
  const found: (string | null)[] = [];
  for (let time: number | null = at(from); found.length < many && time !== null; ) {
    time = times.next(time);
    found.push(iso(time));
  }
  return found;
}

test.each([
  ["0 * * * *", "2026-06-01T10:30:00Z", "2026-06-01T11:00"],
  ["0 * * * *", "2026-06-01T11:00:00Z", "2026-06-01T12:00"],
  ["*/15 * * * *", "2026-06-01T10:30:01Z", "2026-06-01T10:45"],
  ["30 4 * * 1", "2026-06-01T10:30:00Z", "2026-06-08T04:30"],
  ["0 0 1 1 *", "2026-06-01T10:30:00Z", "2027-01-01T00:00"],
  ["0 0 29 2 *", "2026-06-01T10:30:00Z", "2028-02-29T00:00"],
  ["59 23 L * *", "2026-02-10T00:00:00Z", "2026-02-28T23:59"],
  ["0 9 * * mon-fri", "2026-06-05T09:00:00Z", "2026-06-08T09:00"],
])("%s after %s is %s, and is the newest from then on", async (cron, from, expected) => {
  const times = await timesOf(cron);
  const next = times.next(at(from));
  expect(iso(next)).toBe(expected);
  expect(times.newest({ after: at(from), upTo: (next ?? 0) + 59_000 })).toBe(next);
  expect(times.newest({ after: at(from), upTo: (next ?? 0) - 1 })).toBeNull();
  expect(times.newest({ after: next ?? 0, upTo: (next ?? 0) + 1000 })).toBeNull();
});

test("agrees with node-cron's own list of what comes next", async () => {
  const { nodeCron } = await import("node-cron");
  vi.useFakeTimers({ now: at("2026-06-03T07:12:13Z"), toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  for (const cron of ["7 * * * *", "*/7 3,15 * * *", "0 12 1-7 * *", "15 6 * */2 0", "0 0 LW * *", "30 5 * * 5#2"]) {
    for (const timezone of ["UTC", "Asia/Kolkata", "America/St_Johns"]) {
      const task = nodeCron.createTask(cron, () => {}, { timezone });
      const expected = task.getNextRuns(6).map((date) => iso(date.getTime()));
      await task.destroy();
      expect(following(await timesOf(cron, timezone), "2026-06-03T07:12:13Z", 6), `${cron} ${timezone}`).toEqual(
        expected,
      );
    }
  }
});

test("is read in the job's time zone, whose clock changes keep the time of day", async () => {
  const times = await timesOf("0 9 * * *", "Europe/Berlin");
  expect(following(times, "2026-03-27T09:00:00Z", 3)).toEqual([
    "2026-03-28T08:00",
    "2026-03-29T07:00",
    "2026-03-30T07:00",
  ]);
});

test("a time that comes twice when clocks go back counts once, and an hourly job does not lose the hour", async () => {
  const nightly = await timesOf("30 2 * * *", "Europe/Berlin");
  expect(following(nightly, "2026-10-24T12:00:00Z", 2)).toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
  expect(iso(nightly.newest({ after: at("2026-10-24T12:00:00Z"), upTo: at("2026-10-25T12:00:00Z") }))).toBe(
    "2026-10-25T00:30",
  );
  const hourly = await timesOf("0 * * * *", "Europe/Berlin");
  expect(following(hourly, "2026-10-24T23:30:00Z", 4)).toEqual([
    "2026-10-25T00:00",
    "2026-10-25T01:00",
    "2026-10-25T02:00",
    "2026-10-25T03:00",
  ]);
  const lordHowe = await timesOf("45 1 * * *", "Australia/Lord_Howe");
  expect(following(lordHowe, "2026-04-03T20:00:00Z", 2)).toEqual(["2026-04-04T14:45", "2026-04-05T15:15"]);
});

test("a time that a day leaves out when clocks go forward does not come that day", async () => {
  const nightly = await timesOf("30 2 * * *", "Europe/Berlin");
  expect(following(nightly, "2026-03-28T12:00:00Z", 2)).toEqual(["2026-03-30T00:30", "2026-03-31T00:30"]);
});

test("counts what was missed, as far as it is asked to, and finds no time where there is none", async () => {
  const times = await timesOf("*/10 * * * *");
  const range = { after: at("2026-06-01T00:00:00Z"), before: at("2026-06-02T00:00:00Z") };
  expect(times.count({ ...range, most: 1000 })).toBe(143);
  expect(times.count({ ...range, most: 10 })).toBe(10);
  const leapMonday = await timesOf("0 0 29 2 1");
  expect(iso(leapMonday.next(at("2026-06-01T00:00:00Z")))).toBe("2044-02-29T00:00");
});

test("finding a time a year away, or the newest of a year, takes no noticeable time", async () => {
  const yearly = await timesOf("0 0 1 1 *", "Europe/Berlin");
  const startedAt = performance.now();
  yearly.next(at("2026-01-02T00:00:00Z"));
  yearly.newest({ after: at("2026-01-02T00:00:00Z"), upTo: at("2026-12-30T00:00:00Z") });
  expect(performance.now() - startedAt).toBeLessThan(500);
});

test("rings by node-cron at the time, and not after it was stopped", async () => {
  vi.useFakeTimers({ now: at("2026-06-01T10:59:30Z") });
  onTestFinished(() => void vi.useRealTimers());
  const cron = await loadCron();
  let rings = 0;
  const alarm = cron.alarm({ cron: "0 * * * *", timezone: "Europe/Berlin" }, () => {
    rings += 1;
  });
  await vi.advanceTimersByTimeAsync(29_000);
  expect(rings).toBe(0);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(rings).toBe(1);
  alarm.stop();
  await vi.advanceTimersByTimeAsync(2 * 3600_000);
  expect(rings).toBe(1);
});

test("says what is wrong with an expression", async () => {
  const { problem } = await loadCron();
  expect(problem("0 * * * *")).toBeNull();
  expect(problem("@hourly")).toMatch(/is not five fields .*such as 0 \* \* \* \*/);
  expect(problem("* * * * * *")).toMatch(/is not five fields/);
  expect(problem("0 25 * * *")).toMatch(/25 is a invalid expression for hour/);
});
