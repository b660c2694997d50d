import { z } from "zod";
import { moods, occasions } from "./picture-occasions.ts";
import { defineReadTool } from "./tool.ts";

export const picture = defineReadTool({
  name: "picture",
  description:
    "Posts one of our small animated pictures below the answer. Use it when a person asks for a gif, or seldom, when " +
    "something went well; never in an incident. A rule decides whether one is posted: the result says which, or why " +
    "not. Do not describe or link the picture.",
  input: z.strictObject({
    occasion: z.enum(occasions).optional().describe("what has happened"),
    mood: z.enum(moods).optional().describe("how it should look, when no occasion says it"),
    wanted: z
      .boolean()
      .optional()
      .describe("set it only when a person turns pictures in this conversation on (true) or off (false): posts none"),
  }),
  async run(context, { occasion, mood, wanted }) {
    if (wanted === false) return { text: "No more pictures in this conversation; “gifs please” brings them back." };
    if (wanted === true) return { text: "Pictures are welcome in this conversation." };
    if (!context.postPicture) return { text: "No picture: none can be shown here." };
    const answer = await context.postPicture({ occasion: occasion ?? null, mood: mood ?? null });
    if ("refused" in answer) return { text: `No picture: ${answer.refused}.` };
    return { text: "There you are.", data: { picture: answer.picture } };
  },
});
