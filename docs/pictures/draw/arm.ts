/** An arm from the shoulder to a wrist anywhere within reach, with its claw. */
import { ink } from "./palette.ts";
import { place, svg } from "./svg.ts";

export interface Hand {
  /** The wrist, from the point between the feet. */
  x: number;
  y: number;
  /** Where the claw points: 0 is up, 90 to the viewer's right. */
  angle: number;
  /** 0 shut, 1 wide open. */
  open: number;
  /** Drawn behind the body. */
  behind?: boolean;
  /** Which way the elbow goes out; 1 is away from the body. */
  elbow?: number;
  /** The claw's size. */
  size?: number;
}

const shoulder = { x: 27, y: -74 };
/** Upper and lower arm are as long as this. */
const bone = 32;

export function arm(options: { hand: Hand; side: "red" | "chrome"; jacket: boolean }): string {
  const { hand, side, jacket } = options;
  const sign = side === "red" ? -1 : 1;
  const from = { x: sign * shoulder.x, y: shoulder.y };
  const across = { x: hand.x - from.x, y: hand.y - from.y };
  const length = Math.max(1, Math.hypot(across.x, across.y));
  const out = Math.sqrt(Math.max(60, bone * bone - (length / 2) ** 2)) * (hand.elbow ?? 1) * sign;
  const elbow = {
    x: from.x + across.x / 2 - (across.y / length) * -out,
    y: from.y + across.y / 2 + (across.x / length) * -out * -1,
  };
  const line = svg`M${from.x} ${from.y}Q${elbow.x} ${elbow.y} ${hand.x} ${hand.y}`;
  const half = {
    x: (from.x + 2 * elbow.x + hand.x) / 4,
    y: (from.y + 2 * elbow.y + hand.y) / 4,
  };
  const first = { x: (from.x + elbow.x) / 2, y: (from.y + elbow.y) / 2 };
  const sleeve = svg`M${from.x} ${from.y}Q${first.x} ${first.y} ${half.x} ${half.y}`;
  const lower = side === "red" ? "#e4432c" : "#b4c1cc";
  return svg`<path d="${line}" stroke="${ink}" stroke-width="18" stroke-linecap="round" fill="none"/>
<path d="${line}" stroke="${lower}" stroke-width="11.5" stroke-linecap="round" fill="none"/>
${side === "chrome" && svg`<path d="${line}" stroke="#5d6b78" stroke-width="3" fill="none" stroke-dasharray="5 4"/>`}
${jacket && svg`<path d="${sleeve}" stroke="${ink}" stroke-width="20" stroke-linecap="round" fill="none"/><path d="${sleeve}" stroke="#2c343d" stroke-width="14.500" stroke-linecap="round" fill="none"/><path d="${sleeve}" stroke="#465260" stroke-width="3" stroke-linecap="round" fill="none" transform="translate(${-2} ${-3})"/>`}
${place({ x: hand.x, y: hand.y, rotate: hand.angle, flip: side === "chrome", scale: hand.size ?? 1 }, claw(side, hand.open))}`;
}

/** Points up from its wrist at (0, 0). */
function claw(side: "red" | "chrome", open: number): string {
  const fill = side === "red" ? "url(#shell)" : "url(#chrome)";
  const shade = side === "red" ? "#ffb08e" : "#ffffff";
  const mark = side === "red" ? "#8f1f0d" : "#5d6b78";
  return svg`<g stroke="${ink}" stroke-width="3.2" stroke-linejoin="round">
<g transform="rotate(${open * 44 - 16} 10 -20)"><path d="M2 -20C3 -32 8 -46 19 -51C27 -42 26 -26 17 -15C12 -11 4 -13 2 -20Z" fill="${fill}"/><path d="M8 -27l4 -1M10 -34l4 -0.500" stroke="${mark}" stroke-width="2.200" stroke-linecap="round" fill="none"/></g>
<path d="M-8 3C-22 -5 -25 -26 -18 -40C-13 -50 -5 -56 2 -58C-1 -49 0 -44 -3 -38C0 -37 0 -33 -1 -30C2 -30 5 -27 12 -24C19 -17 15 -3 8 3Q0 7 -8 3Z" fill="${fill}"/></g>
<path d="M-16 -18C-17 -30 -13 -40 -7 -46" stroke="${shade}" stroke-width="3.500" stroke-linecap="round" fill="none" opacity="0.8"/>
${side === "chrome" ? svg`<circle cx="9" cy="-17" r="3.4" fill="#39444e"/><circle cx="9" cy="-17" r="1.3" fill="#dfe7ee"/><path d="M-12 -8Q-1 -3 10 -7" stroke="${mark}" stroke-width="2" fill="none"/>` : svg`<path d="M-12 -6Q-1 -1 10 -5" stroke="${mark}" stroke-width="2.200" fill="none"/><circle cx="-4" cy="-20" r="2" fill="${mark}" opacity="0.500"/><circle cx="3" cy="-14" r="1.500" fill="${mark}" opacity="0.500"/>`}`;
}
