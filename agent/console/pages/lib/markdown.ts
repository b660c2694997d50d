/**
 * A small reading of Markdown into data: paragraphs, headings, lists, fenced code, tables as code, bold, code and links.
 * It makes no HTML; what it does not know stays the text it was.
 */
export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "strong"; text: string }
  | { kind: "link"; text: string; href: string };

export type Block =
  | { kind: "paragraph"; lines: Inline[][] }
  | { kind: "heading"; content: Inline[] }
  | { kind: "list"; ordered: boolean; items: Inline[][] }
  | { kind: "code"; text: string };

const listItem = /^\s*(?:[-*•]|(\d{1,3})[.)])\s+(.*)$/;
const heading = /^#{1,4}\s+(.*)$/;
const fence = /^\s*(```|~~~)/;
const tableRow = /^\s*\|.*\|\s*$/;

/** Blocks in order. An open fence runs to the end, so that code shows as code while it still streams in. */
export function parseMarkdown(text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  for (let index = 0; index < lines.length; ) {
    const line = lines[index] ?? "";
    if (fence.test(line)) {
      const end = lines.findIndex((other, at) => at > index && fence.test(other));
      const stop = end === -1 ? lines.length : end;
      blocks.push({ kind: "code", text: lines.slice(index + 1, stop).join("\n") });
      index = stop + 1;
    } else if (line.trim() === "") {
      index += 1;
    } else if (heading.test(line)) {
      blocks.push({ kind: "heading", content: parseInline(heading.exec(line)?.[1] ?? "") });
      index += 1;
    } else {
      const kind = kindOf(line);
      let stop = index + 1;
      while (stop < lines.length && kindOf(lines[stop] ?? "") === kind) stop += 1;
      blocks.push(blockOf(kind, lines.slice(index, stop)));
      index = stop;
    }
  }
  return blocks;
}

function kindOf(line: string): "ordered" | "bulleted" | "table" | "paragraph" | "other" {
  if (line.trim() === "" || fence.test(line) || heading.test(line)) return "other";
  if (tableRow.test(line)) return "table";
  const item = listItem.exec(line);
  if (item) return item[1] === undefined ? "bulleted" : "ordered";
  return "paragraph";
}

function blockOf(kind: ReturnType<typeof kindOf>, lines: string[]): Block {
  if (kind === "table") return { kind: "code", text: lines.join("\n") };
  if (kind === "ordered" || kind === "bulleted") {
    const items = lines.map((line) => parseInline(listItem.exec(line)?.[2] ?? line));
    return { kind: "list", ordered: kind === "ordered", items };
  }
  return { kind: "paragraph", lines: lines.map((line) => parseInline(line)) };
}

const inlinePattern =
  /`([^`]+)`|\*\*([^*]+)\*\*|\[([^\]]+)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>"'`)\]]*[^\s<>"'`)\].,;:!?])/g;

function parseInline(text: string): Inline[] {
  const parts: Inline[] = [];
  let end = 0;
  for (const match of text.matchAll(inlinePattern)) {
    const part = inlineOf(match);
    if (!part) continue;
    if (match.index > end) parts.push({ kind: "text", text: text.slice(end, match.index) });
    parts.push(part);
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ kind: "text", text: text.slice(end) });
  return parts;
}

function inlineOf(match: RegExpMatchArray): Inline | null {
  const [, code, strong, label, target, bare] = match;
  if (code !== undefined) return { kind: "code", text: code };
  if (strong !== undefined) return { kind: "strong", text: strong };
  const href = webAddress(target ?? bare ?? "");
  return href ? { kind: "link", text: label ?? bare ?? "", href } : null;
}

/** Only http and https, only absolute: `javascript:` and friends never become a link. */
function webAddress(text: string): string | null {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return null;
  return new URL(text).href;
}
