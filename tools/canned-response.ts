import { z } from "zod";
import { defineReadTool } from "./tool.ts";
import { fillPlaces, placesOf, readResponse, responseNameSchema, responseNames } from "./workspace/canned.ts";
import { workspaceFor } from "./workspace/of-run.ts";
import { nextVariant } from "./workspace/rotation.ts";

export const cannedResponse = defineReadTool({
  name: "canned_response",
  description:
    "Gives agreed wording for closing, approving, asking for changes, a stale pull request and such, a different variant " +
    "each time. Use it for what you post to an author; without a name it lists what there is and which values each needs.",
  input: z.strictObject({
    name: responseNameSchema.optional().describe("the response, such as stale-pr; leave out to list all"),
    form: z.enum(["full", "line"]).default("line").describe("`line`: one sentence; `full`: that and a text"),
    values: z
      .record(z.string().max(40), z.string().max(4_000))
      .default({})
      .describe('what fills the places, such as {"author": "ada", "number": "12", "reason": "…"}; taken as plain text'),
    repository: z
      .string()
      .max(200)
      .optional()
      .describe("owner/name that it will be posted to, so that the variant differs from the last one there"),
  }),
  async run(context, { name, form, values, repository }) {
    const files = workspaceFor(context);
    if (name === undefined) return await list(files);
    const response = await readResponse(files, name);
    // Every variant's values are asked for, so that a call does not fail by the luck of the draw.
    const places = placesOf(...response.lines, form === "full" ? response.body : "");
    fillPlaces(places.map((key) => `{${key}}`).join(" "), { name, values });
    const variant = await nextVariant({
      directory: context.workspace?.state,
      response: name,
      places: [
        `conversation ${context.conversation}`,
        ...(repository ? [`repository ${repository.toLowerCase()}`] : []),
      ],
      variants: response.lines.length,
      call: context.call ?? null,
    });
    const line = response.lines[variant] ?? response.lines[0] ?? "";
    const text = fillPlaces(form === "full" ? `${line}\n\n${response.body}` : line, { name, values });
    return { text, data: { name, form, variant, occasion: response.occasion } };
  },
});

async function list(files: ReturnType<typeof workspaceFor>) {
  const lines: string[] = [];
  for (const name of await responseNames(files)) {
    try {
      const { description, lines: variants, body } = await readResponse(files, name);
      lines.push(`- ${name}: ${description} Values: ${placesOf(...variants, body).join(", ") || "none"}.`);
    } catch (error) {
      lines.push(`- ${name}: cannot be used. ${(error as Error).message}`);
    }
  }
  return { text: lines.join("\n") || "There are no canned responses.", data: {} };
}
