/** Each operation, with each fault at each of its file steps: what NFS, a full disk, a kill and a pause can do. */
import { cpSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Memory, openMemory } from "../../memory/index.ts";
import { mapBounded } from "../../memory/parallel.ts";
import { memoryDirectory } from "../support/memory/directory.ts";
import {
  faultCases,
  first,
  makeTemplate,
  operations,
  provenance,
  recordSteps,
  type State,
  stateOf,
  tryFault,
} from "../support/memory/fault-cases.ts";
import { changingSteps, faultyFiles, staleListings, unflushedFiles } from "../support/memory/faulty-files.ts";

const hourMs = 3_600_000;
let root = "";
let template = "";
const atEnd: (() => void)[] = [];

beforeAll(async () => {
  root = memoryDirectory((work) => atEnd.push(work));
  template = join(root, "template");
  await makeTemplate(template);
});
afterAll(() => {
  for (const work of atEnd) work();
});

/** A copy of the template, and handles on it. */
function copy(name: string): { directory: string; open: (writer: string) => Memory } {
  const directory = join(root, name);
  cpSync(template, directory, { recursive: true });
  return { directory, open: (writer) => openMemory({ directory, writer, files: unflushedFiles() }) };
}

describe.each(Object.entries(operations))("%s", (name, operation) => {
  const place = (what: string): string => join(root, `${name.replaceAll(" ", "-")}-${what}`);

  test("with one fault at one step: nothing is lost, nothing is half there", async () => {
    const steps = await recordSteps(template, place("steps"), operation);
    const problems: string[] = [];
    await mapBounded(faultCases(steps), async ({ step, fault }) => {
      const directory = place(`${step.number}-${Object.values(fault).join("-").replaceAll(" ", "-")}`);
      const faultAt = ({ number }: { number: number }) => (number === step.number ? fault : null);
      const problem = await tryFault({ template, directory, operation, faultAt }).catch((error: Error) => error.stack);
      if (problem) problems.push(`${step.number} ${step.name} ${step.path}, ${JSON.stringify(fault)}: ${problem}`);
    });
    expect(problems).toEqual([]);
  });

  test("on a disk that is full from one step on: what is refused says so, and later writes go on", async () => {
    const steps = await recordSteps(template, place("steps"), operation);
    const problems: string[] = [];
    const changing = steps.filter((step) => changingSteps.has(step.name));
    await mapBounded(changing, async ({ number: from, name: stepName }) => {
      const directory = place(`full-${from}`);
      const problem = await tryFault({
        template,
        directory,
        operation,
        faultAt: (step) => {
          if (step.number < from) return null;
          if (step.name === "create") return { kind: "half written", code: "ENOSPC" };
          return ["makeDirectory", "link"].includes(step.name) ? { kind: "refused", code: "ENOSPC" } : null;
        },
      }).catch((error: Error) => error.stack);
      if (problem) problems.push(`full from ${from} ${stepName} on: ${problem}`);
    });
    expect(problems).toEqual([]);
  });

  test("paused at any step while another writes: both are there when it wakes", async () => {
    const steps = await recordSteps(template, place("steps"), operation);
    const looked = operation.replacesAll ? steps.findIndex((step) => step.name === "create") : 0;
    await mapBounded(steps.slice(looked), async ({ number }) => {
      const { directory, open } = copy(`${name.replaceAll(" ", "-")}-paused-${number}`);
      let arrive: () => void = () => undefined;
      const arrived = new Promise<void>((resolve) => {
        arrive = resolve;
      });
      let wake: () => void = () => undefined;
      const until = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const files = faultyFiles(unflushedFiles(), (step) => {
        if (step.number !== number) return null;
        arrive();
        return { kind: "paused before", until };
      });
      const paused = openMemory({ directory, writer: "three", files });
      const work = operation.run(paused, directory).then(() => paused.close());
      // How many steps there are depends on what comes first, so it may be done before this one.
      await Promise.race([arrived, work]);
      const other = open("four");
      // The paused one may have done its part already: then there is another text to edit, or none.
      const mayBeGone = (error: { code?: string }): string => {
        if (error.code === "edit_refused") return "";
        throw error;
      };
      const edited = await other
        .edit("a.md", { before: "second", after: "TWO" }, provenance)
        .then(() => "TWO")
        .catch(mayBeGone);
      await other.append("a.md", "meanwhile\n", provenance);
      wake();
      await work;
      await other.close();
      const state = await stateOf(directory);
      const shown = Object.values(state).join("");
      expect(shown, `paused at step ${number}`).toContain("meanwhile\n");
      expect(shown, `paused at step ${number}`).toContain(edited);
      rmSync(directory, { recursive: true });
    });
  });
});

test("a full disk is named in the refusal, with what to do", async () => {
  const { directory } = copy("full-disk");
  let isFull = true;
  const files = faultyFiles(unflushedFiles(), ({ name }) =>
    isFull && name === "create" ? { kind: "half written", code: "ENOSPC" } : null,
  );
  const memory = openMemory({ directory, writer: "three", files });
  await expect(memory.append("a.md", "new\n", provenance)).rejects.toMatchObject({
    code: "disk_full",
    message: expect.stringContaining("a.md"),
    hint: expect.stringMatching(/room/),
  });
  isFull = false;
  await memory.append("a.md", "after it\n", provenance);
  await memory.close();
  const { "a.md": text } = await stateOf(directory);
  expect(text?.endsWith("from one\nafter it\n")).toBe(true);
});

test("an acknowledged write was flushed, put in place, and its folder flushed, in this order", async () => {
  const { directory } = copy("flushed");
  const steps: string[] = [];
  const files = faultyFiles(unflushedFiles(), (step) => {
    steps.push(`${step.name} ${step.to ?? step.path}`);
    return null;
  });
  const memory = openMemory({ directory, writer: "three", files });
  const { revision } = await memory.append("new/a.md", "new\n", provenance);
  const folder = join(directory, ".hive", "new", "a.md");
  const wanted = [
    expect.stringContaining(`create ${folder}`),
    `rename ${join(folder, `${revision}.md`)}`,
    `syncDirectory ${folder}`,
  ];
  const order = steps.filter((step) =>
    wanted.some((one) => (typeof one === "string" ? one === step : one.asymmetricMatch(step))),
  );
  expect(order).toEqual(wanted);
  // Each new folder's name is an entry of the one above it.
  for (const parent of [join(directory, ".hive", "new"), join(directory, ".hive")]) {
    expect(steps).toContain(`syncDirectory ${parent}`);
  }
  await memory.close();
});

test("listings that are a minute old: nobody loses anything, and all agree when they are renewed", async () => {
  const { directory, open } = copy("stale");
  let now = 0;
  const stale = () =>
    openMemory({
      directory,
      writer: "stale",
      files: staleListings(unflushedFiles(), { ageMs: () => 60_000, nowMs: () => now }),
    });
  const old = stale();
  const fresh = open("fresh");
  await old.read("a.md");
  await fresh.edit("a.md", { before: "second", after: "TWO" }, provenance);
  await fresh.append("a.md", "unseen\n", provenance);
  // It has not heard of these, and replaces only what it saw.
  await old.append("a.md", "by the stale one\n", provenance);
  await old.edit("a.md", { before: "three", after: "THREE" }, provenance);
  const own = (await old.read("a.md"))?.text ?? "";
  expect(own).toContain("by the stale one\n");
  expect(own).toContain("THREE");
  const seen = (await fresh.read("a.md"))?.text ?? "";
  for (const line of ["TWO", "THREE", "unseen", "by the stale one"]) expect(seen.split("\n")).toContain(line);
  now += 60_001;
  expect((await old.read("a.md"))?.text).toBe(seen);
  await old.close();
  await fresh.close();
  expect((await stateOf(directory))["a.md"]).toBe(seen);
});

test("a listing that lacks any part of the history shows what the rest names: opening by name asks the server", async () => {
  const { directory, open } = copy("parents");
  const whole = open("whole");
  await whole.edit("a.md", { before: "second", after: "2" }, provenance);
  await whole.edit("a.md", { before: "three", after: "3" }, provenance);
  const text = (await whole.read("a.md"))?.text;
  await whole.close();
  const folder = join(directory, ".hive", "a.md");
  const revisions = readdirSync(folder)
    .filter((name) => /^\d{10}-/.test(name))
    .sort();
  const newest = revisions.at(-1) ?? "";
  for (let hidden = 0; hidden < 2 ** (revisions.length - 1); hidden++) {
    const isHidden = ({ name }: { name: string }) => name !== newest && (hidden & (1 << revisions.indexOf(name))) !== 0;
    const memory = openMemory({
      directory,
      writer: "stale",
      files: staleListings(unflushedFiles(), { ageMs: () => 60_000, nowMs: () => 0, isHidden }),
    });
    expect((await memory.read("a.md"))?.text).toBe(text);
    await memory.append("log.md", `${hidden}\n`, provenance);
    expect((await memory.history("a.md")).length).toBeLessThanOrEqual(revisions.length);
    await memory.close();
  }
  const lines = (await stateOf(directory))["log.md"]?.trim().split("\n");
  expect(lines?.map(Number).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 2 ** (revisions.length - 1) }, (_, n) => n),
  );
});

test.each([
  ["before", -hourMs],
  ["after", hourMs],
])("a writer whose clock is an hour %s ours neither wins nor loses by it", async (_name, skewMs) => {
  const { directory, open } = copy(`skew-${skewMs}`);
  const here = open("here");
  const there = open("there");
  const now = Date.now();
  const atTheirs = async <T>(work: () => Promise<T>): Promise<T> => {
    const clock = vi.spyOn(Date, "now").mockReturnValue(now + skewMs);
    try {
      return await work();
    } finally {
      clock.mockRestore();
    }
  };
  await here.read("a.md");
  await atTheirs(() => there.edit("a.md", { before: "second", after: "TWO" }, provenance));
  await here.edit("a.md", { before: "TWO", after: "two again" }, provenance);
  await atTheirs(() => there.append("a.md", "theirs\n", provenance));
  await here.append("a.md", "ours\n", provenance);
  const text = `${first.replace("one", "One").replace("second", "two again")}from two\nfrom one\ntheirs\nours\n`;
  expect((await here.read("a.md"))?.text).toBe(text);
  expect((await atTheirs(() => there.read("a.md")))?.text).toBe(text);
  await here.close();
  await there.close();
  expect((await stateOf(directory))["a.md"]).toBe(text);
});

test.each([
  ["before", -hourMs],
  ["after", hourMs],
])("an edit by hand on a file server whose clock is an hour %s ours is taken in once", async (_name, skewMs) => {
  const { directory, open } = copy(`hand-${skewMs}`);
  const path = join(directory, "a.md");
  writeFileSync(path, `by hand\n\n${first}`);
  const at = new Date(Date.now() + skewMs);
  utimesSync(path, at, at);
  const handles = ["one", "two", "three"].map(open);
  const texts = await Promise.all(handles.map(async (memory) => (await memory.read("a.md"))?.text));
  for (const memory of handles) await memory.close();
  const state: State = await stateOf(directory);
  expect(new Set([...texts, state["a.md"]]).size).toBe(1);
  expect(state["a.md"]?.split("by hand\n").length).toBe(2);
});
