/** Small helpers to write SVG by code. Numbers are rounded, so that the same scene is the same text everywhere. */

type Piece = string | number | false | null | undefined | readonly Piece[];

/** Markup with numbers at two decimals; lists are joined, and what is not there leaves nothing. */
export function svg(parts: TemplateStringsArray, ...values: Piece[]): string {
  return parts.reduce((text, part, index) => text + piece(values[index - 1]) + part);
}

function piece(value: Piece): string {
  if (typeof value === "number") return String(Math.round(value * 100) / 100 || 0);
  if (Array.isArray(value)) return value.map(piece).join("");
  return typeof value === "string" ? value : "";
}

export interface Placement {
  x?: number;
  y?: number;
  /** Degrees, clockwise. */
  rotate?: number;
  scale?: number;
  /** Mirrored left to right. */
  flip?: boolean;
  opacity?: number;
}

/** Moves, turns and scales what is drawn around (0, 0). */
export function place(placement: Placement, ...content: Piece[]): string {
  const { x = 0, y = 0, rotate = 0, scale = 1, flip = false, opacity = 1 } = placement;
  const faded = opacity < 1 ? svg` opacity="${Math.max(0, opacity)}"` : "";
  const scaled = scale !== 1 || flip ? svg` scale(${flip ? -scale : scale} ${scale})` : "";
  const turned = rotate === 0 ? "" : svg` rotate(${rotate})`;
  return svg`<g transform="translate(${x} ${y})${turned}${scaled}"${faded}>${content}</g>`;
}
