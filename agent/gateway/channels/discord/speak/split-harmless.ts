/** Text as it may be shown: nothing invisible that turns or hides what is read, and nothing that calls people. */

/** Shown as nothing, it keeps Discord from seeing a mention or the end of a code block. */
export const invisible = "\u200b";

/** Control characters except tab and line feed; marks of direction; invisible marks and tags. Joiners of emoji stay. */
const unseen =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;

/**
 * Removes control, direction and invisible characters; other line ends become line feeds. What is no character (half of
 * a surrogate pair) becomes the replacement character.
 */
export function withoutUnseen(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?|[\u0085\u2028\u2029]/g, "\n")
    .replace(unseen, "");
}

/** Mentions of everyone, of people and of roles read as before and call nobody. For text outside of code blocks. */
export function withoutMentions(text: string): string {
  return text.replace(/@(?=everyone|here)/gi, `@${invisible}`).replace(/<@(?=[!&]?[0-9])/g, `<@${invisible}`);
}

const maskedLink =
  /\[([^\]\n]{1,300})\]\((<?)(https?:\/\/[^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s+"[^"\n]*")?\)/g;

/** A link whose words look like another address is shown as both; pictures, which Discord shows as links, as links. */
export function withHonestLinks(text: string): string {
  return text.replace(/!(?=\[[^\]\n]*\]\(https?:)/g, "").replace(maskedLink, (whole, words: string, _, url: string) => {
    const shown = /(?:https?:\/\/)?((?:[\p{L}\p{N}-]+\.)+\p{L}{2,})(?=[/\s:?#]|$)/iu.exec(words.trim())?.[1];
    if (shown === undefined || hostOf(url).endsWith(shown.toLowerCase())) return whole;
    return `${words} (<${url}>)`;
  });
}

function hostOf(url: string): string {
  return URL.parse(url)?.hostname ?? "";
}
