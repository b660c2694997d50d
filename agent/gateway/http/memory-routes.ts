/** The hive mind over HTTP: reading, and the changes that people make. `agent/memory-api.ts` has the shapes. */
import type { Context } from "hono";
import { z } from "zod";
import type { Memory, MemoryEntry, MemoryRevision, MemoryWritten, Provenance } from "../../../memory/index.ts";
import {
  appendSchema,
  type MemoryChange,
  type MemoryDifference,
  type MemoryHistory,
  type MemoryListed,
  type MemoryListing,
  type MemoryMatches,
  type MemoryRevisionText,
  type MemoryRevisionView,
  renameSchema,
  restoreSchema,
  revisionSchema,
  writeSchema,
} from "../../memory-api.ts";
import { documentDifference, readForPeople, unknownRevision, writeForPeople } from "../../memory-people.ts";
import { surfaceOf } from "../maintainers.ts";
import type { Api, Environment } from "./context.ts";
import { HttpProblem, readJson } from "./problem.ts";
import type { Guarded } from "./route.ts";

const listQuery = z.strictObject({ deleted: z.enum(["true", "false"]).default("false") });
const searchQuery = z.strictObject({
  q: z.string().trim().max(500).default(""),
  limit: z.coerce.number().int().min(1).max(50).default(10),
});
const historyQuery = z.strictObject({ limit: z.coerce.number().int().min(1).max(500).default(100) });
const revisionQuery = z.strictObject({ revision: revisionSchema });
const differenceQuery = z.strictObject({ from: revisionSchema.optional(), to: revisionSchema });

/** A document's name has slashes. */
const named = ":path{.+}";

/** What a request for something that is not there answers; any other refusal of the memory is a 422. */
const statusOf: { [code: string]: 404 | 409 | 410 } = {
  unknown_document: 404,
  revision_unknown: 404,
  document_deleted: 410,
  document_renamed: 410,
  document_exists: 409,
};

export function memoryRoutes(api: Api, guarded: Guarded): void {
  readRoutes(api, guarded);
  writeRoutes(api, guarded);
}

function readRoutes({ memory }: Api, guarded: Guarded): void {
  guarded(
    "GET",
    "/api/memory",
    "documents of the hive mind; `?deleted=true` those that were deleted",
    async (context) => {
      const { deleted } = listQuery.parse(context.req.query());
      const entries = await (await memory()).list(deleted === "true" ? { deleted: true } : {});
      const wanted = entries.filter((entry) => (entry.isDeleted ?? false) === (deleted === "true"));
      return context.json({ documents: wanted.map(listed) } satisfies MemoryListing);
    },
  );
  guarded("GET", "/api/memory-search", "`?q=` searches the hive mind; `?limit=`", async (context) => {
    const { q, limit } = searchQuery.parse(context.req.query());
    if (q === "")
      throw new HttpProblem(400, "query_missing", "q: what to search for is missing", "GET /api/memory-search?q=WORDS");
    return context.json({ matches: await (await memory()).search(q, { limit }) } satisfies MemoryMatches);
  });
  guarded("GET", `/api/memory-history/${named}`, "a document's revisions, newest first; `?limit=`", async (context) => {
    const { limit } = historyQuery.parse(context.req.query());
    const document = nameIn(context);
    const opened = await memory();
    const history = await opened.history(document);
    if (history.length === 0) await answering(readForPeople(opened, document));
    const answer: MemoryHistory = {
      document,
      exists: (await opened.read(document)) !== null,
      revisions: history.slice(0, limit).map(revisionView),
      total: history.length,
    };
    return context.json(answer);
  });
  guarded("GET", `/api/memory-revision/${named}`, "the text at `?revision=`", async (context) => {
    const { revision } = revisionQuery.parse(context.req.query());
    const document = nameIn(context);
    const opened = await memory();
    const isKnown = (await opened.history(document)).some((one) => one.revision === revision);
    if (!isKnown) await answering(Promise.reject(unknownRevision(document, revision)));
    const text = (await opened.textAt(document, revision)) ?? "";
    return context.json({ document, revision, text } satisfies MemoryRevisionText);
  });
  guarded(
    "GET",
    `/api/memory-difference/${named}`,
    "what `?to=` changed, or the difference from `?from=` to it",
    async (context) => {
      const query = differenceQuery.parse(context.req.query());
      const difference = await answering(documentDifference(await memory(), nameIn(context), query));
      return context.json(difference satisfies MemoryDifference);
    },
  );
  guarded("GET", `/api/memory/${named}`, "one document", async (context) =>
    context.json(await answering(readForPeople(await memory(), nameIn(context)))),
  );
}

function writeRoutes(api: Api, guarded: Guarded): void {
  const { memory, audit } = api;

  /** Does it as the maintainer who asks, tells the audit log its name, and answers with what the document is now. */
  async function change(
    context: Context<Environment>,
    action: "written" | "appended" | "restored" | "renamed" | "deleted",
    work: (memory: Memory, document: string, provenance: Provenance) => Promise<MemoryWritten>,
  ): Promise<Response> {
    const document = nameIn(context);
    const actor = context.get("actor");
    const provenance: Provenance = { author: actor.maintainer.name, source: actor.surface, trust: "maintainer" };
    const opened = await memory();
    const written = await answering(work(opened, document, provenance));
    await audit.write({
      action: `memory.${action}`,
      actor: `maintainer:${actor.maintainer.id}`,
      surface: surfaceOf(actor),
      subject: `memory/${document}`,
      detail: `${written.document} is at ${written.revision}, trust ${written.trust}`,
    });
    const { revision, author, trust, source } = written;
    const answer: MemoryChange = {
      written: { document: written.document, revision, author, trust, source },
      document: action === "deleted" ? null : await opened.read(written.document),
    };
    return context.json(answer);
  }

  guarded("PUT", `/api/memory/${named}`, "`{ text, base?, vouch? }` writes a document", async (context) => {
    const write = writeSchema.parse(await readJson(context));
    return change(context, "written", (opened, document, provenance) =>
      writeForPeople(opened, document, { write, provenance }),
    );
  });
  guarded("POST", `/api/memory-append/${named}`, "`{ text }` adds to a document's end", async (context) => {
    const { text } = appendSchema.parse(await readJson(context));
    return change(context, "appended", (opened, document, provenance) => opened.append(document, text, provenance));
  });
  guarded("POST", `/api/memory-restore/${named}`, "`{ revision }` brings back its text", async (context) => {
    const { revision } = restoreSchema.parse(await readJson(context));
    return change(context, "restored", (opened, document, provenance) =>
      opened.restore(document, revision, provenance),
    );
  });
  guarded("POST", `/api/memory-rename/${named}`, "`{ to }` gives a document another name", async (context) => {
    const { to } = renameSchema.parse(await readJson(context));
    return change(context, "renamed", async (opened, document, provenance) => {
      await readForPeople(opened, document);
      return opened.rename(document, to, provenance);
    });
  });
  guarded("DELETE", `/api/memory/${named}`, "deletes a document; its history stays", (context) =>
    change(context, "deleted", async (opened, document, provenance) => {
      await readForPeople(opened, document);
      return opened.remove(document, provenance);
    }),
  );
}

function nameIn(context: Context<Environment>): string {
  return context.req.param("path") ?? "";
}

/** Gives the refusals that are no fault of the request's form their own status. */
async function answering<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const { code, message, hint } = error as { code?: unknown; message?: unknown; hint?: unknown };
    const status = typeof code === "string" ? statusOf[code] : undefined;
    if (status === undefined) throw error;
    throw new HttpProblem(status, String(code), String(message), String(hint));
  }
}

function listed({ document, bytes, at, trust, isConflicted = false }: MemoryEntry): MemoryListed {
  return { document, bytes, at, trust, isConflicted };
}

function revisionView(revision: MemoryRevision): MemoryRevisionView {
  const { lamport: _lamport, writer: _writer, ...view } = revision;
  return view;
}
