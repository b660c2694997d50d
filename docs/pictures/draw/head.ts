/** The head: one half shell, one half chrome, with an eye that glows. */
import { ink } from "./palette.ts";
import { place, svg } from "./svg.ts";

export interface Face {
  /** Degrees, clockwise. */
  tilt?: number;
  x?: number;
  y?: number;
  /** -1 (the viewer's left, up) to 1. */
  lookX?: number;
  lookY?: number;
  /** 1: shut. */
  blink?: number;
  /** Strength of the red eye: 0 is off. */
  glow?: number;
  mouth?: "grin" | "smile" | "flat" | "open" | "frown" | "small";
  /** Degrees; above 0 looks stern, below 0 worried. */
  brow?: number;
  /** Degrees that each antenna leans out. */
  antennae?: [number, number];
  /** Sunglasses: how far above their place they are. */
  shades?: number;
  /** Weld mask: 0 up, 1 down. */
  mask?: number;
}

const skull =
  "M0 -43C5 -35 12 -32 21 -30C36 -26 42 -12 40 3C38 17 30 27 19 32H-19C-30 27 -38 17 -40 3C-42 -12 -36 -26 -21 -30C-12 -32 -5 -35 0 -43Z";

export function head(face: Face = {}): string {
  const { tilt = 0, x = 0, y = 0, glow = 0.7 } = face;
  return place(
    { x, y: -110 + y, rotate: tilt },
    antennae(face.antennae ?? [0, 0]),
    svg`<path d="${skull}" fill="url(#shell)" stroke="${ink}" stroke-width="3.5" stroke-linejoin="round"/>
<g clip-path="url(#head)"><path d="M-34 -14C-30 -24 -20 -28 -8 -30" stroke="#ffb796" stroke-width="5" stroke-linecap="round" fill="none" opacity="0.85"/>
<path d="M4 -48L1 -36L7 -29L2 -21L6 -12L0 -4L5 4L1 12L8 20L48 20L48 -48Z" fill="url(#chrome)" stroke="${ink}" stroke-width="2.500" stroke-linejoin="round"/>
<path d="M12 -26C24 -24 32 -17 34 -6" stroke="#fff" stroke-width="3" fill="none" opacity="0.9"/>
<path d="M30 6L40 8M28 12L38 16M10 -24L14 -19" stroke="#5d6b78" stroke-width="2"/>
<circle cx="33" cy="-12" r="1.800" fill="#4a5763"/><circle cx="13" cy="-27" r="1.600" fill="#4a5763"/></g>`,
    jaw(face.mouth ?? "grin"),
    redEye(face, glow),
    ownEye(face),
    face.shades === undefined ? "" : place({ y: -face.shades }, shades()),
    face.mask === undefined ? "" : place({ y: -36 * (1 - face.mask), rotate: -8 * (1 - face.mask) }, mask()),
  );
}

function antennae([left, right]: [number, number]): string {
  const one = (flip: boolean, lean: number) =>
    place(
      { x: flip ? 15 : -15, y: -26, flip, rotate: flip ? lean : -lean },
      svg`<path d="M0 0C-6 -18 -20 -30 -44 -34" stroke="${ink}" stroke-width="7" stroke-linecap="round" fill="none"/>
<path d="M0 0C-6 -18 -20 -30 -44 -34" stroke="${flip ? "#b4c1cc" : "#ff6a45"}" stroke-width="3.400" stroke-linecap="round" fill="none"/>`,
    );
  return one(false, left) + one(true, right);
}

function ownEye({ lookX = 0, lookY = 0, blink = 0, brow = 8 }: Face): string {
  const open = Math.max(0, 1 - blink);
  const ball =
    open < 0.15
      ? svg`<path d="M-27 -3Q-17 4 -7 -3" stroke="${ink}" stroke-width="3.400" stroke-linecap="round" fill="none"/>`
      : svg`<ellipse cx="-17" cy="-4" rx="10.500" ry="${11 * open}" fill="#fffaf2" stroke="${ink}" stroke-width="3"/>
<ellipse cx="${-16 + lookX * 4}" cy="${-3 + lookY * 4}" rx="5" ry="${Math.min(5.5, 9 * open)}" fill="#1a1413"/><circle cx="${-14.4 + lookX * 4}" cy="${-5 + lookY * 4}" r="1.800" fill="#fff"/>`;
  return svg`${ball}<path d="M-29 -16L-8 -16" stroke="${ink}" stroke-width="5" stroke-linecap="round" transform="rotate(${brow} -17 -16)"/>`;
}

function redEye({ lookX = 0, lookY = 0 }: Face, glow: number): string {
  return svg`<circle cx="18" cy="-4" r="12" fill="#1b2128" stroke="${ink}" stroke-width="3"/><circle cx="18" cy="-4" r="9" fill="#2c1210"/>
<circle cx="${18 + lookX * 3}" cy="${-4 + lookY * 3}" r="${4.4 + glow * 2.2}" fill="${glow < 0.08 ? "#4a1a15" : "url(#eye)"}" opacity="${0.45 + 0.55 * Math.min(1, glow)}"/>
${glow > 0.05 && svg`<circle cx="${18 + lookX * 3}" cy="${-4 + lookY * 3}" r="${12 + glow * 17}" fill="url(#glow)" opacity="${Math.min(1, glow)}"/>`}`;
}

const mouths = {
  grin: "M-17 13Q0 24 17 13L14 24Q0 31 -14 24Z",
  smile: "M-14 16Q0 22 14 16L12 22Q0 27 -12 22Z",
  flat: "M-15 16H15V23H-15Z",
  open: "M-13 12Q0 8 13 12L11 27Q0 33 -11 27Z",
  frown: "M-14 22Q0 13 14 22L15 27Q0 20 -15 27Z",
  small: "M-6 15H6V24H-6Z",
};

function jaw(mouth: keyof typeof mouths): string {
  const wide = mouth === "small" ? [] : mouth === "open" ? [-5, 5] : [-9, -3, 3, 9];
  return svg`<path d="M-25 13L25 13L22 27L13 37H-13L-22 27Z" fill="url(#chrome)" stroke="${ink}" stroke-width="3" stroke-linejoin="round"/>
<path d="${mouths[mouth]}" fill="${mouth === "open" || mouth === "small" ? "#3a0d0a" : "#fffaf2"}" stroke="${ink}" stroke-width="2.600" stroke-linejoin="round"/>
${mouth === "open" ? '<path d="M-11 13Q0 10 11 13L10 17H-10Z" fill="#fffaf2"/>' : wide.map((x) => svg`<path d="M${x} 15V27" stroke="#6f7c88" stroke-width="1.600"/>`)}
<circle cx="-19" cy="20" r="1.700" fill="#4a5763"/><circle cx="19" cy="20" r="1.700" fill="#4a5763"/>`;
}

function shades(): string {
  return svg`<path d="M-38 -15L-4 -15Q0 -12 4 -15L38 -15L36 -5C34 6 24 9 16 8C7 7 4 0 2 -7Q0 -9 -2 -7C-4 0 -7 7 -16 8C-24 9 -34 6 -36 -5Z" fill="#0d1013" stroke="${ink}" stroke-width="3" stroke-linejoin="round"/>
<path d="M-31 -10L-22 -10L-28 2Z" fill="#62707d"/><path d="M9 -10L18 -10L12 2Z" fill="#62707d"/>`;
}

function mask(): string {
  return svg`<path d="M-40 -28Q0 -46 40 -28L37 18Q20 40 0 40Q-20 40 -37 18Z" fill="#3b4651" stroke="${ink}" stroke-width="3.500" stroke-linejoin="round"/>
<path d="M-33 -24Q0 -38 33 -24" stroke="#74838f" stroke-width="3" fill="none"/><rect x="-26" y="-14" width="52" height="18" rx="4" fill="#102a1c" stroke="${ink}" stroke-width="3"/><path d="M-20 -9H2" stroke="#3fae72" stroke-width="3" stroke-linecap="round"/>`;
}
