import { html, type TemplateResult } from "lit";

export function wordmark(chatHash: string): TemplateResult {
  return html`
    <a class="brand" href=${chatHash} aria-label="CLAWDINATOR, to the chat">
      <img src="/assets/console/logo.svg" alt="" width="32" height="32" /><span class="brand-name">CLAWDINATOR</span>
    </a>
  `;
}
