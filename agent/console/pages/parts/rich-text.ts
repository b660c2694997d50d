import { html, type TemplateResult } from "lit";
import { PageElement } from "../lib/element.ts";
import { type Block, type Inline, parseMarkdown } from "../lib/markdown.ts";

/** Text from a model or a person, laid out. Every piece becomes a text node or an attribute: nothing in it can be markup. */
export class RichText extends PageElement {
  static override properties = { text: {} };
  declare text: string;

  constructor() {
    super();
    this.text = "";
  }

  protected override render(): TemplateResult {
    return html`<div class="prose">${parseMarkdown(this.text).map(renderBlock)}</div>`;
  }
}

function renderBlock(block: Block): TemplateResult {
  if (block.kind === "code") return html`<pre class="code" tabindex="0"><code>${block.text}</code></pre>`;
  if (block.kind === "heading") return html`<p class="prose-heading">${block.content.map(renderInline)}</p>`;
  if (block.kind === "paragraph") {
    return html`<p>${block.lines.map((line, index) => html`${index ? html`<br />` : ""}${line.map(renderInline)}`)}</p>`;
  }
  const items = block.items.map((item) => html`<li>${item.map(renderInline)}</li>`);
  return block.ordered ? html`<ol>${items}</ol>` : html`<ul>${items}</ul>`;
}

function renderInline(part: Inline): TemplateResult | string {
  if (part.kind === "code") return html`<code>${part.text}</code>`;
  if (part.kind === "strong") return html`<strong>${part.text}</strong>`;
  if (part.kind === "link")
    return html`<a href=${part.href} target="_blank" rel="noopener noreferrer">${part.text}</a>`;
  return part.text;
}
