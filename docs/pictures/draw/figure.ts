/** The one who is in every picture: half lobster, half machine. Stands on (0, 0), about 160 high. */
import { arm, type Hand } from "./arm.ts";
import { type Face, head } from "./head.ts";
import { ink } from "./palette.ts";
import { place, svg } from "./svg.ts";

export interface Pose {
  x?: number;
  y?: number;
  scale?: number;
  /** Degrees that the whole figure leans. */
  lean?: number;
  /** Up and down of everything above the legs. */
  bob?: number;
  /** Steps: 0 to 1 is one left and one right step; absent: stands. */
  walk?: number;
  /** Where the wrists are, from the point between the feet. Red is on the viewer's left, chrome on the right. */
  red?: Partial<Hand>;
  chrome?: Partial<Hand>;
  face?: Face;
  jacket?: boolean;
  /** Drawn between body and claws, such as a laptop that it holds; same coordinates as the hands. */
  held?: string;
  hideLegs?: boolean;
}

const restingRed: Hand = { x: -50, y: -50, angle: -24, open: 0.35 };
const restingChrome: Hand = { x: 50, y: -50, angle: 24, open: 0.35 };

export function figure(pose: Pose = {}): string {
  const { x = 120, y = 218, scale = 1.15, lean = 0, bob = 0, face = {}, jacket = true } = pose;
  const red = { ...restingRed, ...pose.red };
  const chrome = { ...restingChrome, ...pose.chrome };
  const arms = [arm({ hand: red, side: "red", jacket }), arm({ hand: chrome, side: "chrome", jacket })];
  const behind = [red.behind ? arms[0] : "", chrome.behind ? arms[1] : ""];
  const before = [red.behind ? "" : arms[0], chrome.behind ? "" : arms[1]];
  return place(
    { x, y, scale, rotate: lean },
    pose.hideLegs ? "" : tail(bob),
    pose.hideLegs ? "" : legs(pose.walk),
    place({ y: bob }, behind, torso(jacket), head(face), pose.held ?? "", before),
  );
}

function tail(bob: number): string {
  const lobe = (angle: number) =>
    place(
      { y: -14 + bob / 2, rotate: angle },
      svg`<path d="M-5 0C-14 8 -13 22 0 26C13 22 14 8 5 0Z" fill="url(#shell)" stroke="${ink}" stroke-width="3"/>`,
    );
  return place({ y: -14, scale: 1.15 }, lobe(76), lobe(-76), lobe(46), lobe(-46));
}

function legs(walk: number | undefined): string {
  const step = (phase: number) => {
    const angle = walk === undefined ? 0 : Math.sin(2 * Math.PI * (walk + phase));
    const lift = walk === undefined ? 0 : Math.max(0, Math.cos(2 * Math.PI * (walk + phase)));
    return { shift: angle * 9, lift: lift * 7 };
  };
  const leg = (side: number, { shift, lift }: { shift: number; lift: number }) =>
    svg`<path d="M${side * 11} -36L${side * 14 + shift} ${-9 - lift}" stroke="${ink}" stroke-width="17" stroke-linecap="round"/>
<path d="M${side * 11} -36L${side * 14 + shift} ${-9 - lift}" stroke="#2c343d" stroke-width="11" stroke-linecap="round"/>
${place(
  { x: side * 14 + shift, y: -lift, flip: side < 0 },
  svg`<path d="M-9 1C-11 -14 7 -16 10 -7Q17 -4 15 1Z" fill="#1d2329" stroke="${ink}" stroke-width="3" stroke-linejoin="round"/><path d="M-7 -1H13" stroke="#6b7884" stroke-width="2" stroke-linecap="round"/>`,
)}`;
  return leg(-1, step(0)) + leg(1, step(0.5));
}

function torso(jacket: boolean): string {
  const belly = [-66, -56, -46].map(
    (y, index) =>
      svg`<path d="M${-15 + index} ${y}Q0 ${y + 7} ${15 - index} ${y}" stroke="#8f1f0d" stroke-width="2.5" fill="none"/>`,
  );
  const side = (flip: boolean) =>
    place(
      { flip },
      svg`<path d="M-12 -84L-27 -79C-34 -68 -33 -44 -29 -29L-9 -27C-13 -46 -15 -62 -7 -80Z" fill="url(#leather)" stroke="${ink}" stroke-width="3" stroke-linejoin="round"/>
<path d="M-12 -83L-21 -69L-15 -64L-18 -57L-9 -42C-13 -56 -13 -68 -7 -79Z" fill="#3d4855" stroke="${ink}" stroke-width="2" stroke-linejoin="round"/>
<path d="M-27 -46L-18 -44" stroke="#74838f" stroke-width="2.2" stroke-linecap="round"/>`,
    );
  return svg`<path d="M-24 -82C-34 -62 -30 -38 -22 -28Q0 -20 22 -28C30 -38 34 -62 24 -82Z" fill="url(#shell)" stroke="${ink}" stroke-width="3.5"/>
<path d="M-14 -80C-20 -60 -16 -40 -11 -30Q0 -26 11 -30C16 -40 20 -60 14 -80Z" fill="#ff9468" opacity="0.55"/>${belly}${jacket && [side(false), side(true), `<path d="M-29 -33Q0 -23 29 -33L28 -26Q0 -16 -28 -26Z" fill="#15191d" stroke="${ink}" stroke-width="2"/><rect x="-7" y="-28" width="14" height="9" rx="2" fill="url(#chrome)" stroke="${ink}" stroke-width="2"/>`]}`;
}
