import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import { MemoryError } from "../../../memory/errors.ts";
import { describeError } from "../../../tools/errors.ts";

/** A refusal with its status; the body is `{ error: { code, message, hint } }` everywhere. */
export class HttpProblem extends Error {
  readonly status: ContentfulStatusCode;
  readonly code: string;
  readonly hint: string;

  constructor(status: ContentfulStatusCode, code: string, message: string, hint: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

/** The body as JSON; a body that is none is the caller's fault. */
export async function readJson(context: Context): Promise<unknown> {
  try {
    return await context.req.json();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new HttpProblem(400, "invalid_json", `the body is not JSON: ${error.message}`, "send one JSON object");
  }
}

/** Any throw as an answer. Unknown faults say no more than that there is one: their text may hold anything. */
export function answerProblem(error: Error, context: Context, onFault: (error: Error) => void): Response {
  if (error instanceof HttpProblem) {
    // The rest of such a body is not read, so the connection cannot carry another request.
    if (error.status === 413) context.header("connection", "close");
    return context.json({ error: { code: error.code, message: error.message, hint: error.hint } }, error.status);
  }
  if (error instanceof z.ZodError) {
    const text = error.issues.flatMap(describeIssue).join("; ");
    return context.json({ error: { code: "invalid_request", message: text, hint: "mend these fields" } }, 400);
  }
  const described = describeError(error);
  if (described.code !== "internal") {
    const place = error instanceof MemoryError ? error.place : null;
    return context.json({ error: { ...described, ...place } }, 422);
  }
  onFault(error);
  return context.json(
    { error: { code: "internal", message: "this failed inside", hint: "the gateway's log says why" } },
    500,
  );
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => `${[...issue.path, key].join(".")}: there is no such field`);
  return [`${issue.path.join(".") || "body"}: ${issue.message}`];
}
