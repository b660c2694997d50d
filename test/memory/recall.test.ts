/**
 * How often a question in other words than the notes finds its note: over some 3,000 notes of real documentation, beside
 * plain substring search. Prints the figures; fails only far below them.
 */
import { writeSync } from "node:fs";
import { expect, test } from "vitest";
import { openMemoryIndex } from "../../memory/search-index.ts";
import type { DocumentSource } from "../../memory/search-source.ts";
import { openChangeFeed } from "../../memory/watch.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { cutNotes, type Note } from "./recall-notes.ts";
import { questions } from "./recall-questions.ts";

const leastNotes = 2_000;
const leastQuestions = 100;
/** Measured: 0.51 and 0.37. */
const leastRecall = 0.4;
const leastRank = 0.28;
const inFirst = 5;
const looked = 20;

interface Figures {
  recallAt5: number;
  rank: number;
}

/** For each question the answer's documents, best first. */
type Search = (question: string) => Promise<string[]> | string[];

async function measure(labelled: { question: string; right: Set<string> }[], search: Search): Promise<Figures> {
  let found = 0;
  let rank = 0;
  for (const { question, right } of labelled) {
    const at = [...new Set(await search(question))].slice(0, looked).findIndex((document) => right.has(document));
    if (at >= 0) rank += 1 / (at + 1);
    if (at >= 0 && at < inFirst) found += 1;
  }
  return { recallAt5: found / labelled.length, rank: rank / labelled.length };
}

/** The notes as documents, without a disk: what is measured is the search. */
function sourceOf(notes: Note[]): DocumentSource {
  const texts = new Map(notes.map(({ document, text }) => [document, text]));
  const who = { revision: "r", author: "test", source: "test", at: 0, trust: "self" as const, isConflicted: false };
  return {
    documents: async () => [...texts.keys()],
    signature: async () => "unchanged",
    load: async (document) => ({ ...who, document, text: texts.get(document) ?? null }),
  };
}

/** What `grep -i` with the question as it stands would find. */
function substring(notes: Note[]): Search {
  const texts = notes.map(({ document, text }) => ({ document, text: text.toLowerCase() }));
  return (question) =>
    texts.filter(({ text }) => text.includes(question.toLowerCase())).map(({ document }) => document);
}

/** The notes that hold most of the question's words as substrings. */
function mostWords(notes: Note[]): Search {
  const texts = notes.map(({ document, text }) => ({ document, text: text.toLowerCase() }));
  return (question) => {
    const words = question.toLowerCase().match(/[a-z0-9]{3,}/g) ?? [];
    const counted = texts.map(({ document, text }) => ({
      document,
      count: words.filter((word) => text.includes(word)).length,
    }));
    return counted
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count)
      .map(({ document }) => document);
  };
}

test("a question in other words finds its note far more often than substring search does", async () => {
  const notes = cutNotes();
  expect(notes.length).toBeGreaterThanOrEqual(leastNotes);
  const flat = notes.map(({ document, text }) => ({ document, text: text.replace(/\s+/g, " ") }));
  const labelled = questions
    .map(([question, phrase]) => ({
      question,
      right: new Set(flat.filter(({ text }) => text.includes(phrase)).map(({ document }) => document)),
    }))
    // A newer version of a package may have reworded a note; then its question says nothing.
    .filter(({ right }) => right.size > 0);
  expect(labelled.length).toBeGreaterThanOrEqual(leastQuestions);

  const source = sourceOf(notes);
  const feed = openChangeFeed({ directory: temporaryDirectory(), source });
  const index = openMemoryIndex({ directory: null, source, feed });
  const ours = await measure(labelled, async (question) =>
    (await index.search(question, looked)).map(({ document }) => document),
  );
  await index.close();
  await feed.close();
  const peers: [string, Figures][] = [
    ["memory search", ours],
    ["any word, most words first", await measure(labelled, mostWords(notes))],
    ["substring", await measure(labelled, substring(notes))],
  ];
  const lines = peers.map(
    ([name, { recallAt5, rank }]) => `  ${name}: recall@5 ${recallAt5.toFixed(2)}, MRR ${rank.toFixed(2)}\n`,
  );
  writeSync(2, `recall of ${labelled.length} questions over ${notes.length} notes:\n${lines.join("")}`);

  expect(ours.recallAt5).toBeGreaterThan(leastRecall);
  expect(ours.rank).toBeGreaterThan(leastRank);
  for (const [, peer] of peers.slice(1)) expect(ours.recallAt5).toBeGreaterThan(peer.recallAt5);
});
