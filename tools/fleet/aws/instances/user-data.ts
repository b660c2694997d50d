/** What a machine is told at its launch: only who it is. Anyone on the machine can read it, so it holds no secret. */
import { z } from "zod";

const userDataSchema = z.object({
  formatVersion: z.literal(1),
  instance: z.string().min(1),
  name: z.string().min(1),
  image: z.string().min(1),
  revision: z.string().min(1),
  /** The port that goes with the name; null: from the machine's configuration. */
  port: z.number().int().min(1).max(65_535).nullable(),
});
export type UserData = z.output<typeof userDataSchema>;

/** As RunInstances takes it: JSON in base64. Keys in one order, so that a repeated launch sends the same bytes. */
export function encodeUserData(data: Omit<UserData, "formatVersion">): string {
  const { instance, name, image, revision, port } = data;
  return Buffer.from(JSON.stringify({ formatVersion: 1, instance, name, image, revision, port })).toString("base64");
}

/** Null when the text (as the metadata service gives it, decoded) is not ours. */
export function parseUserData(text: string): UserData | null {
  try {
    return userDataSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
