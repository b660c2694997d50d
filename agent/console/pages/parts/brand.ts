import { html, type TemplateResult } from "lit";

export function wordmark(): TemplateResult {
  return html`
    <a class="brand" href="#/chat" aria-label="CLAWDINATOR, to the chat">
      <img src="/assets/console/logo.svg" alt="" width="32" height="32" /><span class="brand-name">CLAWDINATOR</span>
    </a>
  `;
}
