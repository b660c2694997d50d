/** Line icons, 20 × 20, drawn for this console. They are decoration: the label beside them says what they mean. */
import { html, svg, type TemplateResult } from "lit";

const shapes = {
  chat: svg`<path d="M3 4.5h14v9H9l-4 3v-3H3z"/><path d="M6.5 8h7M6.5 10.5h4"/>`,
  approvals: svg`<path d="M10 2.5 16.5 5v4.5c0 4-2.8 6.6-6.5 8-3.7-1.4-6.5-4-6.5-8V5z"/><path d="m7 9.8 2.2 2.200L13.2 8"/>`,
  fleet: svg`<rect x="3" y="3.5" width="14" height="5" rx="1"/><rect x="3" y="11.5" width="14" height="5" rx="1"/><path d="M6 6h.01M6 14h.01M9 6h5M9 14h5"/>`,
  operations: svg`<circle cx="5" cy="4.5" r="1.7"/><circle cx="5" cy="15.5" r="1.7"/><path d="M5 6.200v7.600M9 4.500h8M9 10h6M9 15.500h8M5 10h.01"/>`,
  audit: svg`<path d="M5 2.500h7l3.5 3.500v11.500H5z"/><path d="M12 2.500V6h3.500M7.5 9.500H13M7.5 12.500H13"/>`,
  schedule: svg`<rect x="3" y="4.500" width="14" height="12.500" rx="1.500"/><path d="M3 8.500h14M7 2.500v3.500M13 2.500v3.500M10 10.500v2.500l1.800 1.200"/>`,
  cost: svg`<ellipse cx="10" cy="5.500" rx="6" ry="2.500"/><path d="M4 5.500v9c0 1.400 2.700 2.500 6 2.500s6-1.100 6-2.500v-9M4 10c0 1.400 2.700 2.500 6 2.500s6-1.100 6-2.500"/>`,
  memory: svg`<path d="M3 4.500c2.500-.9 5-.6 7 1 2-1.600 4.500-1.900 7-1v11c-2.500-.9-5-.6-7 1-2-1.600-4.500-1.900-7-1z"/><path d="M10 5.500v11"/>`,
  document: svg`<path d="M5 2.500h7l3.500 3.500v11.500H5z"/><path d="M12 2.500V6h3.500"/>`,
  folder: svg`<path d="M2.500 5.500h5l2 2h8v8h-15z"/>`,
  edit: svg`<path d="m4 16 .8-3.400L13.600 3.800l2.600 2.600-8.800 8.800z"/><path d="m11.800 5.600 2.600 2.600"/>`,
  quote: svg`<path d="M4 14.500V10c0-2.500 1.200-4 3.500-4.500M4 10h4v4.500H4M11.500 14.500V10c0-2.500 1.200-4 3.500-4.500M11.500 10h4v4.500h-4"/>`,
  pause: svg`<path d="M7 4.500v11M13 4.500v11"/>`,
  resume: svg`<path d="M6 4.500v11l9-5.500z"/>`,
  sun: svg`<circle cx="10" cy="10" r="3.2"/><path d="M10 2.500v2M10 15.500v2M2.5 10h2M15.5 10h2M4.7 4.700l1.4 1.400M13.9 13.900l1.4 1.400M4.7 15.300l1.4-1.400M13.9 6.100l1.4-1.4"/>`,
  moon: svg`<path d="M16 11.800A6.5 6.5 0 0 1 8.2 4 6.5 6.5 0 1 0 16 11.800z"/>`,
  system: svg`<circle cx="10" cy="10" r="6.5"/><path d="M10 3.500v13a6.5 6.5 0 0 0 0-13z" fill="currentColor"/>`,
  leave: svg`<path d="M8 3.500H4v13h4M8.5 10H17M13.5 6.5 17 10l-3.5 3.5"/>`,
  copy: svg`<rect x="7" y="7" width="9.5" height="9.5" rx="1.5"/><path d="M13 4.500v-1H3.500V13h1"/>`,
  done: svg`<path d="m4.5 10.5 3.5 3.5 7.5-8"/>`,
  failed: svg`<path d="m5.5 5.5 9 9M14.5 5.500l-9 9"/>`,
  undone: svg`<path d="M4 8h8a4 4 0 0 1 0 8H8M7 4.5 3.5 8 7 11.5"/>`,
  plus: svg`<path d="M10 4v12M4 10h12"/>`,
  send: svg`<path d="M10 16V4.500M5 9.500l5-5 5 5"/>`,
  alert: svg`<path d="M10 3 18 16.500H2z"/><path d="M10 8v4M10 14.200h.01"/>`,
  tool: svg`<path d="m4 6 4 4-4 4M10.5 14H16"/>`,
  arrow: svg`<path d="M4 10h11.500M11.5 6l4 4-4 4"/>`,
  search: svg`<circle cx="9" cy="9" r="5"/><path d="m13 13 4 4"/>`,
  clock: svg`<circle cx="10" cy="10" r="7"/><path d="M10 6v4.200l2.7 1.8"/>`,
};
export type IconName = keyof typeof shapes;

export function icon(name: IconName): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 20 20" aria-hidden="true">${shapes[name]}</svg>`;
}
