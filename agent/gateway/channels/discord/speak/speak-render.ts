/** An answer as messages. Pure: the same answer gives the same messages, so that delivering it again changes nothing. */
import { withoutHowToApprove } from "../../../../approval-words.ts";
import type { Answer } from "../../../inbox.ts";
import type { Place } from "../contract.ts";
import type { Extras } from "./deliver.ts";
import { mostFiles, pictureFile, textFile } from "./files.ts";
import type { Post, PostFile } from "./post-record.ts";
import type { Seen } from "./speak-seen.ts";
import { headOf, longestContent, splitText } from "./split.ts";

/** More messages than this push everything else out of sight. */
const mostParts = 3;
/** Of the head of an answer that is attached as a file. */
const headCharacters = 1_200;
/** Room for the line below what is shown of an answer in the making. */
const draftCharacters = longestContent - 120;

/** Small and grey. One line, whatever it holds. */
export function subtle(text: string): string {
  return `-# ${text.replace(/\s+/g, " ").trim()}`;
}

/** A failure as people should read it. */
export function failureText({ message, hint }: { message: string; hint: string }): string {
  return hint === "" ? `⚠️ ${message}` : `⚠️ ${message}\n${subtle(hint)}`;
}

/** What is shown of an answer while it is being made; null while there is nothing to show. */
export function draftOf(seen: Pick<Seen, "text" | "doing" | "carded">): string | null {
  const { doing } = seen;
  const text = withoutHowToApprove(seen.text, seen.carded);
  const head =
    text.length > draftCharacters ? headOf(text, draftCharacters) : splitText(text, draftCharacters).join("\n");
  if (head === "") return null;
  const length = text.length > draftCharacters ? `${text.length.toLocaleString("en-US")} characters so far` : null;
  const below = doing ?? length;
  return below === null ? head : `${head}\n${subtle(`… ${below}`)}`;
}

function wholeText({ proposals, error, done }: Answer, { notices }: Extras): string {
  const carded = proposals.filter(({ state }) => state !== "approved").map(({ approval }) => approval);
  const isOnlyError = error !== null && (done.text === "" || done.text === `${error.message}. ${error.hint}`);
  const said = isOnlyError ? [] : [withoutHowToApprove(done.text, carded)];
  if (error) said.push(failureText(error));
  if (!error && done.reason === "limit") said.push(subtle("I stopped here: that was as much as one answer may take"));
  if (!error && done.reason === "failed") said.push(subtle("I could not finish this"));
  if (done.reason === "interrupted" && done.text.trim() !== "") said.push(subtle("I stopped here"));
  return [...said, ...notices.map(subtle)].filter((one) => one.trim() !== "").join("\n\n");
}

/** The messages of an answer, in order; none when it has nothing to show. */
export async function postsOf(options: {
  message: string;
  place: Place;
  answer: Answer;
  extras: Extras;
}): Promise<Post[]> {
  const { message, place, answer, extras } = options;
  const text = wholeText(answer, extras);
  const pictures = (await Promise.all(extras.pictures.map(pictureFile))).filter((file) => file !== null);
  const contents = text.length > longestContent * mostParts ? [] : splitText(text);
  const isLong = text.length > longestContent * mostParts || contents.length > mostParts;
  const files: PostFile[] = [...(isLong ? [textFile(text)] : []), ...pictures].slice(0, mostFiles);
  const shown = isLong
    ? [`${headOf(text, headCharacters)}\n${subtle("… the whole answer is in the file")}`]
    : contents.length === 0 && files.length > 0
      ? [""]
      : contents;
  return shown.map((content, index) => ({
    key: `${message}.${index}`,
    channel: place.channel,
    replyTo: index === 0 ? place.replyTo : null,
    content,
    ...(index === shown.length - 1 && files.length > 0 ? { files } : {}),
  }));
}
