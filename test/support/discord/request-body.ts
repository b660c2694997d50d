/** The body of a request as it comes: JSON, or a form with files. */
import { invalid, Problem } from "./problem.ts";

export const requestLimitBytes = 25 * 1024 * 1024;

export interface Upload {
  field: string;
  filename: string;
  type: string;
  bytes: Buffer;
}

/** JSON, or a form with `payload_json` and files. */
export async function readBody(bytes: Buffer, contentType: string): Promise<{ json: unknown; files: Upload[] }> {
  if (bytes.length > requestLimitBytes) throw new Problem("tooLarge");
  if (bytes.length === 0) return { json: undefined, files: [] };
  if (contentType.startsWith("multipart/form-data")) {
    const form = await new Response(new Uint8Array(bytes), { headers: { "content-type": contentType } }).formData();
    const files: Upload[] = [];
    let json: unknown = {};
    for (const [field, value] of form) {
      if (field === "payload_json") json = parseJson(String(value));
      else if (typeof value !== "string" && /^files\[\d+\]$/.test(field))
        files.push({
          field,
          filename: value.name,
          type: value.type || "application/octet-stream",
          bytes: Buffer.from(await value.arrayBuffer()),
        });
      else throw invalid([field], "UNKNOWN_FIELD", "This field is not part of the form");
    }
    return { json, files };
  }
  if (!contentType.startsWith("application/json")) throw new Problem("invalidJson");
  return { json: parseJson(bytes.toString()), files: [] };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem("invalidJson");
  }
}
