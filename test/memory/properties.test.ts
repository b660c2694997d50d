/** What holds for any revisions, in any order: not examples, but laws. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { realFiles } from "../../memory/files.ts";
import { Folder } from "../../memory/fold.ts";
import { RevisionSet } from "../../memory/graph.ts";
import { isConflicted, mergeTexts } from "../../memory/merge.ts";
import { encodeRevision } from "../../memory/revisions.ts";
import type { MemoryRevision } from "../../memory/types.ts";
import { ada, newRevision, openTestMemory } from "../support/memory-revisions.ts";

interface Step {
  kind: "full" | "append" | "delete";
  writer: number;
  /** How many of the newest revisions its writer has not heard of. */
  behind: number;
  line: number;
}

const steps = fc.array(
  fc.record<Step>({
    kind: fc.constantFrom("full", "full", "append", "append", "delete"),
    writer: fc.nat(2),
    behind: fc.nat(4),
    line: fc.nat(5),
  }),
  { minLength: 1, maxLength: 14 },
);

type Made = MemoryRevision & { text: string };

/** Revisions as writers would make them who each know all but the newest few, and always what they wrote themselves. */
async function makeRevisions(script: Step[]): Promise<Made[]> {
  const made: Made[] = [];
  for (const [number, { kind, writer, behind, line }] of script.entries()) {
    const known = made.filter((one, at) => at < made.length - behind || one.writer === `w${writer}`);
    const { set, folder } = gather(known, made);
    const { text, frontier } = await folder.fold();
    const lines = (text ?? "0\n1\n2\n3\n4\n5\n").split("\n");
    lines[Math.min(line, lines.length - 1)] = `changed by ${number}`;
    const own = known.findLast((one) => one.kind === "append" && one.writer === `w${writer}`);
    const content = newRevision({
      kind,
      writer: `w${writer}`,
      text: kind === "full" ? lines.join("\n") : kind === "append" ? `added by ${number}\n` : "",
      parents: kind === "append" ? [...new Set([...set.heads(), ...(own ? [own.revision] : [])])] : frontier,
      lamport: set.highest + 1,
      nonce: `${number}`,
    });
    const { nonce: _nonce, ...rest } = content;
    made.push({ ...rest, revision: encodeRevision(content).revision, bytes: content.text.length });
  }
  return made;
}

/** What a host knows that got these revisions in this order, with the parents that they name. */
function gather(order: Made[], all: Made[]): { set: RevisionSet; folder: Folder } {
  const texts = new Map(all.map((one) => [one.revision, one]));
  const set = new RevisionSet();
  for (const one of order) set.add(one);
  for (let missing = set.missing(); missing.length > 0; missing = set.missing()) {
    for (const id of missing) set.add(texts.get(id) as Made);
  }
  return { set, folder: new Folder(set, ({ revision }) => texts.get(revision)?.text ?? "") };
}

/** The definition, word for word: sets of ancestors, without any of the shortcuts. */
function viewByDefinition(all: Map<string, Made>, known: Set<string>): string | null {
  const ancestors = (id: string): Set<string> => {
    const found = new Set<string>();
    const open = [id];
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      if (found.has(one) || !known.has(one)) continue;
      found.add(one);
      open.push(...(all.get(one)?.parents ?? []));
    }
    return found;
  };
  const members = [...known].map((id) => all.get(id) as Made);
  const covered = new Set<string>();
  for (const one of members) {
    if (one.kind === "append") continue;
    for (const id of ancestors(one.revision)) if (id !== one.revision) covered.add(id);
  }
  const hash = ({ revision }: Made): string => revision.slice(-24);
  const compare = (a: string | number, b: string | number): number => (a < b ? -1 : a > b ? 1 : 0);
  const open = members.filter(({ revision }) => !covered.has(revision));
  const heads = open
    .filter(({ kind }) => kind === "full")
    .sort((a, b) => compare(a.lamport, b.lamport) || compare(hash(a), hash(b)));
  const appends = open
    .filter(({ kind }) => kind === "append")
    .sort((a, b) => compare(a.lamport, b.lamport) || compare(a.writer, b.writer) || compare(hash(a), hash(b)));
  if (heads.length + appends.length === 0) return null;
  let text = "";
  const seen = new Set<string>();
  for (const [at, head] of heads.entries()) {
    const label = ({ author, revision }: Made): string => `${author}, revision ${revision}`;
    const own = ancestors(head.revision);
    const base = viewByDefinition(all, new Set([...own].filter((id) => seen.has(id)))) ?? "";
    const labels = { left: heads.slice(0, at).map(label).join("; "), right: label(head) };
    text = at === 0 ? head.text : mergeTexts(base, text, head.text, labels);
    for (const id of own) seen.add(id);
  }
  for (const append of appends) text += (text === "" || text.endsWith("\n") ? "" : "\n") + append.text;
  return text;
}

test("any order of arrival gives the same text, the same frontier, and that of the definition", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.infiniteStream(fc.nat()), async (script, random) => {
      const made = await makeRevisions(script);
      const shuffled = made
        .map((one) => [random.next().value ?? 0, one] as const)
        .sort(([a], [b]) => a - b)
        .map(([, one]) => one);
      const here = gather(made, made);
      const there = gather(shuffled, made);
      const late = gather(shuffled.slice(0, 1), made);
      await late.folder.fold();
      for (const one of shuffled) {
        late.set.add(one);
        await late.folder.fold();
      }
      const wanted = viewByDefinition(
        new Map(made.map((one) => [one.revision, one])),
        new Set(here.set.frontier().flatMap((id) => closure(id, made))),
      );
      for (const { folder, set } of [here, there, late]) {
        const folded = await folder.fold();
        expect(folded.text).toBe(wanted);
        expect(folded.frontier).toEqual(here.set.frontier());
        const again = await folder.foldAt(set.frontier());
        expect([again.text, again.trust, again.newest]).toEqual([folded.text, folded.trust, folded.newest]);
      }
    }),
    { numRuns: 300 },
  );
});

function closure(id: string, all: Made[]): string[] {
  const one = all.find(({ revision }) => revision === id) as Made;
  return [id, ...one.parents.flatMap((parent) => closure(parent, all))];
}

const commands = fc.array(
  fc.record({
    host: fc.nat(2),
    kind: fc.constantFrom("append", "write", "edit", "read", "remove"),
    /** How much of the end of a listing is older than what is there. */
    hidden: fc.nat(6),
  }),
  { minLength: 4, maxLength: 16 },
);

test("hosts with old listings lose nothing, and come to the same text when the listings do", async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (script) => {
      const hidden = [0, 0, 0];
      const real = realFiles();
      const { directory, memory: judge } = openTestMemory();
      const hosts = hidden.map((_, host) => {
        const list = async (path: string) => {
          const entries = await real.list(path);
          if (!path.includes(".hive/x.md")) return entries;
          const sorted = entries.sort((a, b) => (a.name < b.name ? -1 : 1));
          return sorted.slice(0, Math.max(0, sorted.length - (hidden[host] ?? 0)));
        };
        return openTestMemory({ directory, writer: `host${host}`, files: { ...real, list } }).memory;
      });
      const appended: string[] = [];
      const ids: string[] = [];
      for (const [number, { host, kind, hidden: count }] of script.entries()) {
        hidden[host] = count;
        const memory = hosts[host] as (typeof hosts)[number];
        const text = (await memory.read("x.md"))?.text ?? "";
        const line = `line ${number}`;
        if (kind === "append") {
          ids.push((await memory.append("x.md", line, ada)).revision);
          appended.push(line);
          expect((await memory.read("x.md"))?.text.split("\n")).toContain(line);
        } else if (kind === "write") ids.push((await memory.write("x.md", `${line}\n${text}`, ada)).revision);
        else if (kind === "edit" && text !== "") {
          ids.push((await memory.edit("x.md", { before: text, after: `${text}${line}\n` }, ada)).revision);
        } else if (kind === "remove" && text !== "") {
          ids.push((await memory.remove("x.md", ada)).revision);
          // What the remover saw is gone on purpose.
          for (const one of text.split("\n")) {
            const at = appended.indexOf(one);
            if (at >= 0) appended.splice(at, 1);
          }
        }
      }
      hidden.fill(0);
      const texts = new Set<string | undefined>();
      for (const memory of [...hosts, judge]) texts.add((await memory.read("x.md"))?.text);
      expect(texts.size).toBe(1);
      const lines = ([...texts][0] ?? "").split("\n");
      expect(lines).toEqual(expect.arrayContaining(appended));
      expect((await judge.history("x.md")).map(({ revision }) => revision).sort()).toEqual(ids.sort());
      await Promise.all([...hosts, judge].map((memory) => memory.close()));
    }),
    { numRuns: 15 },
  );
});

const document = fc.array(fc.constantFrom("a", "b", "c", "", "# d"), { minLength: 6, maxLength: 40 });

test("a merge keeps every change that nothing overlaps, and is the same from both sides", () => {
  const labels = { left: "L, revision 1", right: "R, revision 2" };
  fc.assert(
    fc.property(document, fc.nat(), fc.nat(), (lines, first, second) => {
      // Every line is told apart, so that nobody can doubt which one was changed.
      const base = lines.map((line, at) => `${at} ${line}`);
      const [left, right] = [first % base.length, second % base.length];
      fc.pre(Math.abs(left - right) > 1);
      const change = (at: number, by: string): string =>
        base.map((line, n) => (n === at ? `${line} by ${by}` : line)).join("\n");
      const [ours, theirs] = [change(left, "left"), change(right, "right")];
      const merged = mergeTexts(base.join("\n"), ours, theirs, labels);
      const wanted = base.map((line, n) => (n === left ? `${line} by left` : n === right ? `${line} by right` : line));
      expect(merged).toBe(wanted.join("\n"));
      expect(mergeTexts(base.join("\n"), theirs, ours, labels)).toBe(merged);
    }),
  );
});

test("whatever is merged, every line that one side added stands in the result", () => {
  const labels = { left: "L, revision 1", right: "R, revision 2" };
  fc.assert(
    fc.property(document, document, document, (base, left, right) => {
      const texts = [base, left, right].map((lines, side) =>
        lines.map((line) => (line === "# d" ? `# ${side}` : line)),
      );
      const [from, ours, theirs] = texts.map((lines) => lines.join("\n")) as [string, string, string];
      const merged = mergeTexts(from, ours, theirs, labels);
      const result = new Set(merged.split("\n"));
      for (const line of [...(texts[1] ?? []), ...(texts[2] ?? [])]) {
        if (!texts[0]?.includes(line)) expect(result).toContain(line);
      }
      expect(mergeTexts(from, ours, ours, labels)).toBe(ours);
      expect(mergeTexts(from, from, theirs, labels)).toBe(theirs);
      if (!merged.includes("<!-- conflict: ")) expect(isConflicted(merged)).toBe(false);
    }),
  );
});

test("any revision can be restored, and all others stay in the history", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("write", "append", "remove"), { minLength: 2, maxLength: 8 }),
      fc.nat(),
      async (kinds, pick) => {
        const { memory } = openTestMemory();
        const texts: { revision: string; text: string | undefined }[] = [];
        for (const [number, kind] of kinds.entries()) {
          const isThere = (await memory.read("x.md")) !== null;
          const written =
            kind === "remove" && isThere
              ? await memory.remove("x.md", ada)
              : await memory[kind === "write" ? "write" : "append"]("x.md", `${kind} ${number}\n`, ada);
          texts.push({ revision: written.revision, text: (await memory.read("x.md"))?.text });
        }
        const before = await memory.history("x.md");
        const { revision, text } = texts[pick % texts.length] as (typeof texts)[number];
        if (text === undefined) await expect(memory.restore("x.md", revision, ada)).rejects.toThrow("has no text");
        else {
          const restored = await memory.restore("x.md", revision, ada);
          expect((await memory.read("x.md"))?.text).toBe(text);
          const [newest, ...older] = await memory.history("x.md");
          expect(newest?.revision).toBe(restored.revision);
          expect(older).toEqual(before);
        }
        for (const one of texts) expect(await memory.textAt("x.md", one.revision)).toBe(one.text ?? null);
        await memory.close();
      },
    ),
    { numRuns: 15 },
  );
});
