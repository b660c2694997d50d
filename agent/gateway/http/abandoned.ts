/** Readers to be told when the run they follow is abandoned here, by message id. */
const readers = new Map<string, Set<() => void>>();

/** Returns how to stop being told. */
export function onAbandoned(message: string, tell: () => void): () => void {
  const known = readers.get(message) ?? new Set();
  readers.set(message, known);
  known.add(tell);
  return () => {
    known.delete(tell);
    if (known.size === 0) readers.delete(message);
  };
}

export function abandonReaders(message: string): void {
  for (const tell of [...(readers.get(message) ?? [])]) tell();
}
