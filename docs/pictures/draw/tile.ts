/** The ground of every picture: a rounded tile that stands on light and on dark pages. */
import { type Backdrop, backdrops, gradients } from "./palette.ts";
import { svg } from "./svg.ts";

/** Units of a scene, each way. */
const sceneSize = 240;

/** A whole frame as SVG of `pixels` by `pixels`. */
export function tile(options: { backdrop: Backdrop; pixels: number; content: string }): string {
  const [top, bottom, light] = backdrops[options.backdrop];
  return svg`<svg xmlns="http://www.w3.org/2000/svg" width="${options.pixels}" height="${options.pixels}" viewBox="0 0 ${sceneSize} ${sceneSize}"><defs>${gradients}
<linearGradient id="ground" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="${top}"/><stop offset="1" stop-color="${bottom}"/></linearGradient>
<radialGradient id="spot" cx="0.5" cy="0.42" r="0.55"><stop offset="0" stop-color="${light}"/><stop offset="1" stop-color="${light}" stop-opacity="0"/></radialGradient></defs>
<g clip-path="url(#tile)"><rect width="240" height="240" fill="url(#ground)"/><rect width="240" height="240" fill="url(#spot)" opacity="0.8"/>${options.content}</g>
<rect x="1.5" y="1.5" width="237" height="237" rx="28.5" fill="none" stroke="#ffffff" stroke-opacity="0.14" stroke-width="3"/></svg>`;
}

/** Where somebody stands. */
export function shadow(x = 120, y = 218, width = 58): string {
  return svg`<ellipse cx="${x}" cy="${y + 2}" rx="${width}" ry="8" fill="#000" opacity="0.28"/>`;
}
