/** Reading the hive mind over HTTP. Opened on first use: a start does not need it. */
import { type Memory, openMemory } from "../../../memory/index.ts";
import type { Api } from "./context.ts";
import { HttpProblem } from "./problem.ts";
import type { Guarded } from "./route.ts";

export function memoryRoutes(api: Api, guarded: Guarded): void {
  let opened: Memory | null = null;
  const memory = (): Memory => {
    opened ??= openMemory({
      directory: api.paths.memory,
      writer: `${api.identity.instance}-gateway`,
      index: `${api.identity.paths.index}/gateway`,
    });
    return opened;
  };

  guarded("GET", "/api/memory", "documents of the hive mind", async (context) =>
    context.json({ documents: await memory().list() }),
  );
  guarded("GET", "/api/memory-search", "`?q=` searches the hive mind", async (context) => {
    const query = context.req.query("q")?.trim();
    if (!query)
      throw new HttpProblem(400, "query_missing", "q: what to search for is missing", "GET /api/memory-search?q=WORDS");
    return context.json({ matches: await memory().search(query) });
  });
  guarded("GET", "/api/memory/:path{.+}", "one document", async (context) => {
    const name = context.req.param("path") ?? "";
    const document = await memory().read(name);
    if (!document)
      throw new HttpProblem(
        404,
        "unknown_document",
        `there is no document ${name}`,
        "`clawdinator memory list` shows them",
      );
    return context.json(document);
  });
}
