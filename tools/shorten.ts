/** The text, at most `most` UTF-16 units long: what is cut ends with an ellipsis, never with half a character. */
export function shorten(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1).toWellFormed()}…` : text;
}

/** The first line of the trimmed text, shortened. */
export function firstLine(text: string, most: number): string {
  return shorten(text.trim().split("\n", 1)[0] ?? "", most);
}
