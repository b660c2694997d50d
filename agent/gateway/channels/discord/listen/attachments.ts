/** Files of a message: text is read within limits, of everything else only name and size are told. */
import type { APIAttachment } from "discord.js";
import { displayName } from "./listen-words.ts";

export interface ReadAttachment {
  name: string;
  /** For people and models: name, size, and why its text is missing where it is. */
  title: string;
  /** Empty where it is no text or could not be read. */
  text: string;
}

/** Where Discord keeps files. */
const discordHosts = new Set(["cdn.discordapp.com", "media.discordapp.net"]);

const timeoutMs = 10_000;

const textTypes = /^(?:text\/|application\/(?:json|xml|x-yaml|yaml|toml|javascript|x-sh|sql|x-ndjson)\b)/i;
const textNames =
  /\.(?:txt|md|log|json|jsonl|ya?ml|toml|ini|conf|csv|tsv|xml|html?|css|[cm]?[jt]sx?|py|rb|go|rs|c|h|cc|cpp|hpp|java|kt|swift|nix|tf|sh|sql|patch|diff|lock|env)$/i;

/** Never throws: a file that cannot be read says so in its title. */
export async function readAttachments(
  attachments: readonly APIAttachment[],
  options: {
    limits: { count: number; kilobytes: number };
    apiUrl: string;
    signal: AbortSignal;
    fetch?: typeof globalThis.fetch;
  },
): Promise<ReadAttachment[]> {
  const { count } = options.limits;
  const read = await Promise.all(attachments.slice(0, count).map((one) => readOne(one, options)));
  const more = attachments.length - read.length;
  if (more > 0) read.push({ name: "", title: `${more} more ${more === 1 ? "file" : "files"}, not read`, text: "" });
  return read;
}

type Options = Parameters<typeof readAttachments>[1];

async function readOne(attachment: APIAttachment, options: Options): Promise<ReadAttachment> {
  const name = displayName({ username: attachment.filename.slice(0, 100), global_name: null });
  const described = `file ${name}, ${sizeText(attachment.size)}`;
  const without = (why: string): ReadAttachment => ({ name, title: `${described}, ${why}`, text: "" });
  const type = attachment.content_type ?? "";
  if (type.startsWith("image/")) return without("an image");
  if (!textTypes.test(type) && !textNames.test(attachment.filename)) return without("not a text file");
  const limit = options.limits.kilobytes * 1000;
  if (attachment.size > limit) return without(`not read: it is larger than ${options.limits.kilobytes} kB`);
  if (!isTrusted(attachment.url, options.apiUrl)) return without("not read: it does not lie at Discord");
  try {
    const text = await download(attachment.url, { ...options, limit });
    return text === null ? without("not read: it is larger than it says") : { name, title: described, text };
  } catch (error) {
    return without(error instanceof TypeError ? "not read: it is not text, or Discord did not give it" : "not read");
  }
}

/** Null when there is more of it than allowed. */
async function download(url: string, options: Options & { limit: number }): Promise<string | null> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeoutMs)]);
  const response = await (options.fetch ?? fetch)(url, { redirect: "error", signal });
  if (!response.ok || !response.body) throw new TypeError(`status ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > options.limit) return null;
    chunks.push(chunk);
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
}

function isTrusted(address: string, apiUrl: string): boolean {
  const url = URL.parse(address);
  if (!url) return false;
  return (url.protocol === "https:" && discordHosts.has(url.hostname)) || url.origin === new URL(apiUrl).origin;
}

function sizeText(bytes: number): string {
  return bytes < 1000 ? `${bytes} bytes` : `${Math.round(bytes / 1000)} kB`;
}
