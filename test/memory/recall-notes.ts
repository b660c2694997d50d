/**
 * Real notes, cut from the documentation that packages of the lock file carry: the same text on every machine, without
 * the network. A doc comment of a declaration is one note, and so is a section of a Markdown page.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface Note {
  /** Package, file and the number of the note in it: `node-fs/0012.md`. */
  document: string;
  text: string;
}

const modules = join(import.meta.dirname, "..", "..", "node_modules");

/** Folder of the notes, and the file that they are cut from. */
const sources: [string, string][] = [
  ...[
    "assert async_hooks buffer child_process cluster console crypto dgram diagnostics_channel dns events fs http http2",
    "https module net os path perf_hooks process querystring readline repl sea sqlite stream test timers tls tty url util",
    "v8 vm wasi worker_threads zlib",
  ]
    .join(" ")
    .split(" ")
    .map((name): [string, string] => [`node-${name.replaceAll("_", "-")}`, `@types/node/${name}.d.ts`]),
  ["playwright", "playwright-core/types/types.d.ts"],
  ["commander", "commander/Readme.md"],
  ["simple-git", "simple-git/readme.md"],
  ["tar", "tar/README.md"],
  ["semver", "semver/README.md"],
  ["ws", "ws/README.md"],
  ...["Agent", "Client", "Dispatcher", "Errors", "MockAgent", "MockPool", "Pool", "ProxyAgent", "RetryHandler"].map(
    (name): [string, string] => [`undici-${name.toLowerCase()}`, `undici/docs/docs/api/${name}.md`],
  ),
];

/** Shorter comments say nothing that a question could be about. */
const leastCharacters = 120;

/** All notes, in the order of the sources; of notes with equal text only the first. */
export function cutNotes(): Note[] {
  const seen = new Set<string>();
  const notes: Note[] = [];
  for (const [folder, file] of sources) {
    const source = readFileSync(join(modules, file), "utf8");
    const texts = file.endsWith(".md") ? sections(source) : comments(source);
    let number = 0;
    for (const text of texts) {
      if (text.length < leastCharacters || seen.has(text)) continue;
      seen.add(text);
      number += 1;
      notes.push({ document: `${folder}/${String(number).padStart(4, "0")}.md`, text: `${text}\n` });
    }
  }
  return notes;
}

function comments(source: string): string[] {
  return [...source.matchAll(/\/\*\*(.*?)\*\//gs)].map(([, comment = ""]) =>
    comment
      .split("\n")
      .map((line) => line.replace(/^\s*\* ?/, "").trimEnd())
      .join("\n")
      .trim(),
  );
}

function sections(source: string): string[] {
  return source
    .split(/^(?=#{1,6} )/m)
    .map((section) => section.trim())
    .filter((section) => section !== "");
}
