import { html, nothing, type TemplateResult } from "lit";
import { PageElement } from "../lib/element.ts";
import { type Block, type ListItem, type MarkdownOptions, parseMarkdown } from "../lib/markdown.ts";
import type { Inline } from "../lib/markdown-inline.ts";

/** Text from a model or a person, laid out. Every piece becomes a text node or an attribute: nothing in it can be markup. */
export class RichText extends PageElement {
  static override properties = { text: {}, options: { attribute: false } };
  declare text: string;
  /** Of a document; null: said in a chat. */
  declare options: MarkdownOptions | null;

  constructor() {
    super();
    this.text = "";
    this.options = null;
  }

  protected override render(): TemplateResult {
    const { text, options } = this;
    const blocks = parseMarkdown(text, options ?? {});
    return html`<div class="prose">${blocks.map((block) => renderBlock(block, options !== null))}</div>`;
  }
}

function renderBlock(block: Block, isDocument: boolean): TemplateResult {
  if (block.kind === "code") return html`<pre class="code" tabindex="0"><code>${block.text}</code></pre>`;
  if (block.kind === "rule") return html`<hr />`;
  if (block.kind === "heading") return renderHeading(block.level, block.content.map(renderInline), isDocument);
  if (block.kind === "table") return renderTable(block);
  if (block.kind === "quote") {
    return html`<blockquote>${block.blocks.map((inner) => renderBlock(inner, isDocument))}</blockquote>`;
  }
  if (block.kind === "paragraph") {
    return html`<p>${block.lines.map((line, index) => html`${index ? html`<br />` : ""}${line.map(renderInline)}`)}</p>`;
  }
  const items = block.items.map((item) => renderItem(item, isDocument));
  return block.ordered ? html`<ol start=${block.start}>${items}</ol>` : html`<ul>${items}</ul>`;
}

/** A document's headings stand below the page's own; in a chat there is no outline to be part of. */
function renderHeading(level: number, content: unknown[], isDocument: boolean): TemplateResult {
  if (!isDocument) return html`<p class="prose-heading">${content}</p>`;
  if (level === 1) return html`<h2 class="prose-title">${content}</h2>`;
  return level === 2 ? html`<h3>${content}</h3>` : html`<h4>${content}</h4>`;
}

function renderItem({ isDone, blocks: [first, ...others] }: ListItem, isDocument: boolean): TemplateResult {
  const box = html`<span class="task" role="img" aria-label=${isDone ? "done" : "to do"}>${isDone ? "☑" : "☐"}</span> `;
  const words =
    first?.kind === "paragraph"
      ? first.lines.map((line, index) => html`${index ? html`<br />` : ""}${line.map(renderInline)}`)
      : first && renderBlock(first, isDocument);
  return html`<li class=${isDone === null ? "" : "task-item"}>
    ${isDone === null ? nothing : box}${words}${others.map((block) => renderBlock(block, isDocument))}
  </li>`;
}

function renderTable({ head, rows }: Extract<Block, { kind: "table" }>): TemplateResult {
  return html`
    <div class="scroll-x" tabindex="0" role="group" aria-label="Table">
      <table class="prose-table">
        <thead><tr>${head.map((cell) => html`<th scope="col">${cell.map(renderInline)}</th>`)}</tr></thead>
        <tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell.map(renderInline)}</td>`)}</tr>`)}</tbody>
      </table>
    </div>
  `;
}

function renderInline(part: Inline): TemplateResult | string {
  if (part.kind === "code") return html`<code>${part.text}</code>`;
  if (part.kind === "strong") return html`<strong>${part.content.map(renderInline)}</strong>`;
  if (part.kind === "emphasis") return html`<em>${part.content.map(renderInline)}</em>`;
  if (part.kind === "text") return part.text;
  const words = part.content.map(renderInline);
  // Within the console a link stays in this window; what leads out knows nothing of where it was opened.
  if (part.href.startsWith("#")) return html`<a href=${part.href}>${words}</a>`;
  return html`<a href=${part.href} target="_blank" rel="noopener noreferrer">${words}</a>`;
}
