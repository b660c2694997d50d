import { html, type TemplateResult } from "lit";

/** One of our animated pictures; who wants less motion sees its first frame. */
export function pictureView({ picture, alt }: { picture: string; alt: string }): TemplateResult {
  const address = `/pictures/${encodeURIComponent(picture)}`;
  return html`
    <picture class="posted-picture">
      <source media="(prefers-reduced-motion: reduce)" srcset=${`${address}/still`} />
      <img src=${address} alt=${alt} title=${alt} width="200" height="200" loading="lazy" decoding="async" />
    </picture>
  `;
}
