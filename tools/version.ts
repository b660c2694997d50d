import { z } from "zod";
import { defineReadTool } from "./tool.ts";

export const version = defineReadTool({
  name: "version",
  description: "Tells which program answers: its version, revision and image, and the name and id of the instance.",
  input: z.strictObject({}),
  async run({ program }) {
    const who =
      program.name === null ? `instance ${program.instance}` : `${program.name} (instance ${program.instance})`;
    const text = `${who} runs version ${program.version}, revision ${program.revision}, image ${program.image}.`;
    return { text, data: { ...program } };
  },
});
