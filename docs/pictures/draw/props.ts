/** Things that are held, worn or stood upon in more than one scene. Each is drawn around (0, 0). */
import { bone, ember, gold, good, ink } from "./palette.ts";
import { svg } from "./svg.ts";

export function line(d: string, color: string, width = 4): string {
  return svg`<path d="${d}" stroke="${color}" stroke-width="${width}" stroke-linecap="round" stroke-linejoin="round" fill="none"/>`;
}

/** A filled form with the outline that everything has. */
export function form(d: string, fill: string, width = 3): string {
  return svg`<path d="${d}" fill="${fill}" stroke="${ink}" stroke-width="${width}" stroke-linejoin="round"/>`;
}

export function check(color = good, width = 7): string {
  return line("M-11 0L-3 9L12 -10", ink, width + 5) + line("M-11 0L-3 9L12 -10", color, width);
}

export function cross(color = "#ff5a45", width = 7): string {
  return line("M-10 -10L10 10M10 -10L-10 10", ink, width + 5) + line("M-10 -10L10 10M10 -10L-10 10", color, width);
}

export function heart(color = "#ff4d5e"): string {
  return form("M0 16C-24 0 -20 -20 -8 -18Q-2 -17 0 -9Q2 -17 8 -18C20 -20 24 0 0 16Z", color);
}

export function star(color = gold): string {
  return form("M0 -14L4 -5L14 -4L6 3L9 13L0 8L-9 13L-6 3L-14 -4L-4 -5Z", color, 2.5);
}

/** A sheet of paper with lines of writing. */
export function sheet(width = 46, height = 58): string {
  const rows = [0.25, 0.42, 0.59, 0.76].map(
    (part, index) => svg`M${-width / 2 + 8} ${-height / 2 + height * part}H${width / 2 - (index % 2 === 0 ? 8 : 16)}`,
  );
  return svg`<rect x="${-width / 2}" y="${-height / 2}" width="${width}" height="${height}" rx="4" fill="${bone}" stroke="${ink}" stroke-width="3"/>${line(rows.join(""), "#9a8f80", 3)}`;
}

export function questionMark(color = ember): string {
  const d = "M-9 -12C-9 -26 11 -26 10 -11C9 -3 0 -3 0 6";
  return svg`${line(d, ink, 12)}${line(d, color, 7)}<circle cy="17" r="6.500" fill="${ink}"/><circle cy="17" r="4" fill="${color}"/>`;
}

/** A drifting letter of sleep. */
export function zed(color = "#cfe0ff"): string {
  return line("M-6 -7H6L-6 7H6", ink, 8) + line("M-6 -7H6L-6 7H6", color, 4.5);
}

export function mug(): string {
  return svg`${line("M13 -10C26 -12 26 8 12 6", ink, 10)}${line("M13 -10C26 -12 26 8 12 6", bone, 5)}${form("M-14 -18H15L13 16Q0 20 -12 16Z", bone)}<path d="M-11 -15H12V-11Q0 -8 -11 -11Z" fill="#5a3016"/><path d="M-6 0L0 -5L6 0L0 9Z" fill="#e4432c"/>`;
}

/** Seen from behind: its lid towards us. */
export function laptop(glow = 1): string {
  return svg`<ellipse cy="-22" rx="52" ry="34" fill="url(#light)" opacity="${0.45 * glow}"/>${form("M-36 -30Q-36 -34 -32 -34H32Q36 -34 36 -30L39 8H-39Z", "#56646f")}<path d="M-32 -30H10L-2 5H-35Z" fill="#74838f" opacity="0.6"/>${form("M-46 8H46L42 16H-42Z", "#39444e")}<g transform="translate(0 -13) scale(0.42)">${heart("#ff5a45")}</g>`;
}

/** A cloud of steam or smoke. */
export function puff(opacity: number, color = "#dfe8ee"): string {
  return svg`<g fill="${color}" opacity="${Math.max(0, opacity)}"><circle r="11"/><circle cx="-11" cy="4" r="8"/><circle cx="11" cy="4" r="8"/></g>`;
}
