/** Looks over the whole memory for what needs a person. */
import { MemoryError } from "./errors.ts";
import type { MemoryFiles } from "./files.ts";
import { takeIn } from "./hand-edits.ts";
import { documentOfKept, keptFolder, listKept, lookAtKept } from "./kept.ts";
import { mapBounded } from "./parallel.ts";
import type { Reading } from "./reading.ts";
import type { Store } from "./store.ts";
import type { MemoryProblem } from "./types.ts";

/** Everything is read, so it takes a while in a large memory. A problem with one document hides none of another. */
export async function checkMemory(options: {
  directory: string;
  files: MemoryFiles;
  store: Store;
  reading: Reading;
}): Promise<MemoryProblem[]> {
  const documents = await options.reading.documents();
  const found = await mapBounded(documents, (document) => checkDocument(options.reading, document));
  return [...found.flat(), ...(await checkKept(options))];
}

async function checkDocument(reading: Reading, document: string): Promise<MemoryProblem[]> {
  try {
    const { state, problem } = await reading.current(document);
    const damaged = [...state.damaged].map(([revision, damage]) => ({ document, revision, ...damage }));
    const lost = [...state.lost].map((revision) => ({
      document,
      revision,
      problem: "is named by a later revision and is not there",
      hint: "load a snapshot that holds it; the text does not need it",
    }));
    return [...(problem ? [problem] : []), ...damaged, ...lost];
  } catch (error) {
    if (!(error instanceof MemoryError)) throw error;
    return [{ document, problem: error.message, hint: error.hint }];
  }
}

/** What a person saved into a view that had just been replaced, and that cannot be taken in. */
async function checkKept({
  directory,
  files,
  store,
}: {
  directory: string;
  files: MemoryFiles;
  store: Store;
}): Promise<MemoryProblem[]> {
  const problems: MemoryProblem[] = [];
  for (const name of await listKept(files, directory)) {
    const document = documentOfKept(name);
    const view = document === null ? null : await lookAtKept(files, directory, name);
    if (document === null || view === null) continue;
    const problem = await takeIn(store, document, view);
    if (problem === null) continue;
    problems.push({ ...problem, hint: `look at ${keptFolder(directory)}/${name}, and remove it when it is settled` });
  }
  return problems;
}
