/** Coming, going, and taking another's place. */
import { figure } from "../draw/figure.ts";
import { again, keys, pulse, scatter, swing } from "../draw/motion.ts";
import { ember, gold, ink, screen } from "../draw/palette.ts";
import { form, line, puff } from "../draw/props.ts";
import { place, svg } from "../draw/svg.ts";
import { shadow } from "../draw/tile.ts";
import type { Scene } from "../scene.ts";

function flame(flicker: number): string {
  return (
    form(svg`M-13 0Q-15 22 0 ${44 + flicker * 12}Q15 22 13 0Z`, ember) +
    form(svg`M-6 0Q-7 14 0 ${24 + flicker * 8}Q7 14 6 0Z`, gold, 0)
  );
}

/** A ring of light that grows from the ground. */
function ring(x: number, part: number): string {
  return svg`<ellipse cx="${x}" cy="216" rx="${12 + part * 60}" ry="${3 + part * 11}" fill="none" stroke="${screen}" stroke-width="${4 * (1 - part) + 0.5}" opacity="${1 - part}"/>`;
}

export const fleet: Scene[] = [
  {
    id: "pod",
    alt: "A pod opens in clouds of steam and the lobster steps out",
    moods: ["proud", "busy"],
    occasions: ["launch", "ready", "resumed"],
    backdrop: "sea",
    frames: 20,
    draw: (t) => {
      const open = keys(t, [0, 0], [0.15, 0], [0.4, 1], [0.85, 1], [1, 0]);
      const steam = [0, 1, 2, 3, 4, 5].map((index) =>
        place(
          { x: 120 + (index - 2.5) * (22 + open * 22), y: 216 - scatter(index) * 26, scale: 0.8 + open * 0.9 },
          puff(Math.sin(Math.PI * Math.min(1, open)) * 0.7 + open * 0.35),
        ),
      );
      const door = (flip: boolean) =>
        place(
          { x: 120 + (flip ? 1 : -1) * open * 66, flip },
          form("M0 14Q-66 20 -66 118V216H0Z", "url(#chrome)", 4),
          line("M-52 118V200M-34 60Q-46 80 -48 100", "#5d6b78", 3),
          svg`<rect x="-16" y="96" width="9" height="40" rx="4" fill="#39444e"/><circle cx="-12" cy="152" r="4" fill="${open > 0.1 ? "#4fc98a" : "#ff5a45"}"/>`,
        );
      return [
        form("M44 220V118Q46 12 120 12Q194 12 196 118V220Z", "#12222a", 5),
        svg`<ellipse cx="120" cy="126" rx="66" ry="96" fill="url(#light)" opacity="${open}"/>`,
        figure({
          y: 212,
          scale: 0.98 + open * 0.12,
          red: { x: -40, y: -40 - open * 8 },
          chrome: { x: 40, y: -40 - open * 8 },
          face: {
            glow: keys(t, [0, 0.1], [0.3, 0.4], [0.45, 1], [0.85, 0.8], [1, 0.1]),
            antennae: [swing(t) * 5, -swing(t) * 5],
            mouth: "grin",
          },
        }),
        door(false),
        door(true),
        steam.join(""),
      ].join("");
    },
  },
  {
    id: "rocket",
    alt: "The lobster rides upwards on a rocket",
    moods: ["happy", "proud"],
    occasions: ["launch", "celebrate"],
    backdrop: "night",
    frames: 18,
    draw: (t) => {
      const stars = Array.from({ length: 16 }, (_, index) => {
        const y = again(t, 1 + (index % 2), scatter(index, 2)) * 280 - 20;
        return svg`<path d="M${scatter(index) * 240} ${y}v${10 + scatter(index, 3) * 14}" stroke="#cfe0ff" stroke-width="2.500" opacity="0.6" stroke-linecap="round"/>`;
      });
      const sway = swing(t) * 3;
      return [
        stars.join(""),
        place(
          { x: 120, y: 118 + swing(t, 2) * 3, rotate: 10 + sway },
          place({ y: 92, scale: 1.25 }, flame(pulse(t, 4))),
          form("M-22 92C-34 40 -26 10 0 -16C26 10 34 40 22 92Z", "#dfe7ee", 4),
          form("M-24 62L-46 96L-20 92Z", "#e4432c", 4),
          form("M24 62L46 96L20 92Z", "#e4432c", 4),
          svg`<path d="M-12 88C-22 44 -16 20 0 0" stroke="#ffffff" stroke-width="5" fill="none" opacity="0.8"/>`,
          figure({
            x: 0,
            y: 62,
            scale: 0.84,
            hideLegs: true,
            red: { x: -44, y: -110 - pulse(t, 2) * 8, angle: -8, open: 0.6 },
            chrome: { x: 22, y: -32, angle: 170, open: 0.1 },
            face: { mouth: "open", glow: 0.9, antennae: [-34 + swing(t, 3) * 6, 30 + swing(t, 3) * 6] },
          }),
          svg`<circle cy="62" r="13" fill="#1f5560" stroke="${ink}" stroke-width="4"/><circle cx="-4" cy="58" r="4" fill="#9fdfe6"/>`,
        ),
      ].join("");
    },
  },
  {
    id: "molten-goodbye",
    alt: "The lobster sinks into molten steel, one claw still waving",
    moods: ["calm", "warm"],
    occasions: ["retired", "goodbye"],
    backdrop: "forge",
    frames: 24,
    frameMs: 110,
    draw: (t) => {
      const sink = keys(t, [0, 0], [0.7, 1], [0.82, 1.25], [0.84, 1.25], [1, 0]);
      const wave = svg`M-10 ${176 + swing(t) * 3}Q20 ${166 + swing(t, 1, 0.2) * 4} 50 176T110 176T170 176T250 176V250H-10Z`;
      const sparks = [0, 1, 2, 3, 4, 5, 6].map((index) => {
        const rise = again(t, 2, scatter(index));
        return svg`<circle cx="${20 + index * 34 + swing(rise) * 6}" cy="${180 - rise * 120}" r="${2.6 * (1 - rise)}" fill="#ffd27a" opacity="${1 - rise}"/>`;
      });
      return [
        svg`<ellipse cx="120" cy="190" rx="150" ry="70" fill="url(#warm)" opacity="${0.65 + 0.15 * swing(t, 2)}"/>`,
        svg`<g opacity="${keys(t, [0, 1], [0.82, 1], [0.84, 0], [0.88, 0], [0.98, 1])}">${figure({
          y: 236 + sink * 84,
          hideLegs: true,
          red: { x: -44, y: -60 + sink * 20, angle: -40, open: 0.3 },
          chrome: {
            x: 44,
            y: -96 - sink * 32,
            angle: swing(t, 4) * 16 * (1 - Math.max(0, sink - 0.9)),
            open: 0.25,
            elbow: 0.6,
            size: 1.1,
          },
          face: { glow: 1 - sink * 0.7, mouth: "smile", brow: -4, lookX: 0.2 },
        })}</g>`,
        svg`<path d="${wave}" fill="#ff8a2a"/><path d="${wave}" fill="none" stroke="#ffe08a" stroke-width="5"/><path d="M-10 200Q40 192 80 202T180 200T250 202V250H-10Z" fill="#f2601a" opacity="0.8"/><path d="M20 218q20 -6 44 0M140 226q24 -6 52 0" stroke="#ffc75a" stroke-width="4" stroke-linecap="round" fill="none" opacity="0.800"/>`,
        sparks.join(""),
      ].join("");
    },
  },
  {
    id: "suitcase",
    alt: "The lobster walks into the sunset with a small suitcase and lifts a claw",
    moods: ["warm", "calm"],
    occasions: ["retired", "goodbye"],
    backdrop: "dawn",
    draw: (t) => {
      const stripes = [0, 1, 2].map((index) => {
        const x = 260 - again(t, 1, index / 3) * 300;
        return line(svg`M${x} 214h26`, "#4d2a45", 5);
      });
      return [
        svg`<circle cx="120" cy="120" r="82" fill="#fff0c8" opacity="0.75"/>`,
        svg`<rect y="200" width="240" height="40" fill="#6b3853"/>`,
        stripes.join(""),
        shadow(114, 214),
        figure({
          x: 114,
          y: 214,
          walk: again(t, 2),
          bob: -pulse(t, 4) * 3,
          lean: -3,
          red: { x: -48, y: -94, angle: -14 + swing(t, 2) * 16, open: 0.3 },
          chrome: { x: 52, y: -50, angle: 176, open: 0.1, size: 0.6, elbow: 0.6 },
          held: place(
            { x: 56, y: 0, scale: 1.25, rotate: swing(t, 2) * 5 },
            line("M-8 -14V-22H8V-14", ink, 5),
            form("M-22 -14H22V18H-22Z", "#8a5a34"),
            line("M-12 -12V16M12 -12V16", "#f2b93b", 3),
          ),
          face: { lookX: -0.4, mouth: "smile", brow: -4, antennae: [swing(t, 2) * 6, -swing(t, 2) * 6] },
        }),
      ].join("");
    },
  },
  {
    id: "clone",
    alt: "A second lobster flickers into being beside the first, and they tap claws",
    moods: ["happy", "proud"],
    occasions: ["replace", "launch"],
    backdrop: "sea",
    frames: 20,
    draw: (t) => {
      const here = keys(t, [0, 0], [0.12, 0], [0.4, 1], [0.9, 1], [1, 0]);
      const tap = keys(t, [0, 0], [0.45, 0], [0.58, 1], [0.66, 0.6], [0.72, 1], [0.85, 0], [1, 0]);
      const flicker = here < 1 ? here * (0.65 + 0.35 * swing(t, 7)) : 1;
      const bars = [0, 1, 2, 3, 4].map(
        (index) =>
          svg`<rect x="136" y="${60 + again(t, 2, index / 5) * 150}" width="86" height="4" fill="${screen}" opacity="${(1 - here) * (here > 0 ? 0.9 : 0)}"/>`,
      );
      return [
        [0, 0.5].map((phase) => ring(180, again(t, 2, phase))).join(""),
        shadow(66, 214, 40),
        figure({
          x: 66,
          y: 214,
          scale: 0.82,
          red: { x: -38, y: -42 },
          chrome: { x: 40 + tap * 12, y: -52 - tap * 26, angle: 30, open: 0.1 },
          face: { lookX: 0.8, mouth: "grin", glow: 0.6 + tap * 0.4 },
        }),
        svg`<g opacity="${Math.max(0, Math.min(1, flicker))}">${shadow(176, 214, 40)}${figure({ x: 176, y: 214, scale: 0.82, chrome: { x: 38, y: -42 }, red: { x: -40 - tap * 12, y: -52 - tap * 26, angle: -30, open: 0.1 }, face: { lookX: -0.8, mouth: "grin", glow: here, shades: 0 } })}</g>`,
        bars.join(""),
        place(
          { x: 121, y: 92, scale: tap, opacity: tap > 0.9 ? 1 : 0 },
          line("M0 -8V-20M-10 -4L-18 -12M10 -4L18 -12", gold, 4),
        ),
      ].join("");
    },
  },
  {
    id: "baton",
    alt: "One lobster hands a glowing baton to the next and bows out",
    moods: ["calm", "warm"],
    occasions: ["replace", "retired"],
    serious: true,
    backdrop: "ember",
    frames: 20,
    draw: (t) => {
      const give = keys(t, [0, 0], [0.35, 1], [0.5, 1], [0.9, 1], [1, 0]);
      const taken = keys(t, [0, 0], [0.48, 0], [0.66, 1], [0.9, 1], [1, 0]);
      const leave = keys(t, [0, 0], [0.55, 0], [0.8, 1], [0.92, 1], [1, 0]);
      const baton = { x: 84 + give * 36 + taken * 12, y: 150 - taken * 56 };
      return [
        svg`<g opacity="${1 - leave * 0.75}">${shadow(62 - leave * 16, 214, 38)}${figure({ x: 62 - leave * 16, y: 214, scale: 0.82, lean: leave * 6, jacket: false, red: { x: -36, y: -38 }, chrome: { x: 34 + give * 20 - leave * 26, y: -50, angle: 80, open: 0.4 }, face: { glow: 0.7 - leave * 0.6, lookX: 0.7, mouth: "smile", brow: -4, blink: leave * 0.9 } })}</g>`,
        shadow(178, 214, 40),
        figure({
          x: 178,
          y: 214,
          scale: 0.86,
          chrome: { x: 38, y: -42 },
          red: { x: -46 + taken * 4, y: -54 - taken * 46, angle: -76 + taken * 70, open: 0.35 },
          face: { glow: 0.35 + taken * 0.65, lookX: -0.7 + taken * 0.5, mouth: "grin" },
        }),
        place(
          { x: baton.x, y: baton.y, rotate: 80 - taken * 60 },
          svg`<ellipse rx="15" ry="34" fill="url(#warm)" opacity="${0.7 + 0.3 * swing(t, 2)}"/>`,
          form("M-5 -22H5V22H-5Z", gold),
          line("M-5 -8H5M-5 8H5", "#a8230f", 3),
        ),
      ].join("");
    },
  },
  {
    id: "crate",
    alt: "The lobster hammers the last nail into a crate that is ready to ship",
    moods: ["busy", "proud"],
    occasions: ["image-built"],
    serious: true,
    backdrop: "slate",
    draw: (t) => {
      const hit = keys(t, [0, 0], [0.3, -0.15], [0.42, 1], [0.5, 0.9], [1, 0]);
      const jolt = t > 0.4 && t < 0.56 ? 2 : 0;
      return [
        figure({
          y: 194,
          lean: hit * 4,
          red: { x: -44, y: -38, angle: -120, open: 0.3 },
          chrome: { x: 52 - hit * 20, y: -98 + hit * 52, angle: 10 + hit * 76, open: 0.05 },
          face: {
            lookX: 0.5,
            lookY: 0.7,
            tilt: hit * 5,
            brow: 14,
            mouth: hit > 0.6 ? "flat" : "grin",
            glow: 0.5 + hit * 0.5,
          },
        }),
        place(
          { x: 184 - hit * 6, y: 54 + hit * 84, rotate: 8 + hit * 70 },
          form("M-4 -40H4V14H-4Z", "#8a5a34"),
          form("M-20 -56H20V-38H-20Z", "url(#chrome)"),
        ),
        place(
          { x: 120, y: 200 + jolt },
          form("M-84 -36H84V44H-84Z", "#b07a45", 4),
          line("M-84 -12H84M-84 14H84", "#7a4f28", 3),
          form("M-84 -36H-66V44H-84Z", "#c8925a"),
          form("M66 -36H84V44H66Z", "#c8925a"),
          place(
            { x: 0, y: 4, scale: 1.1 },
            form("M0 -20L18 -11V10L0 20L-18 10V-11Z", "#f3ece2"),
            line("M-18 -11L0 -2L18 -11M0 -2V20", ink, 3),
          ),
        ),
        jolt > 0 ? place({ x: 206, y: 160 }, line("M0 -6V-18M9 0L20 -6M-9 0L-18 -8", gold, 4)) : "",
      ].join("");
    },
  },
  {
    id: "loading",
    alt: "A bar fills beside the lobster; when it is full its red eye lights up",
    moods: ["patient", "busy"],
    occasions: ["waiting", "image-built"],
    serious: true,
    backdrop: "night",
    frames: 20,
    frameMs: 110,
    draw: (t) => {
      const full = Math.min(1, Math.floor(keys(t, [0, 0], [0.75, 1], [1, 1]) * 10 + 0.001) / 10);
      const on = keys(t, [0, 0.05], [0.72, 0.08], [0.78, 1], [0.94, 0.9], [1, 0.05]);
      const cells = Array.from({ length: 10 }, (_, index) =>
        index < full * 10
          ? svg`<rect x="${43 + index * 15.6}" y="199" width="12.500" height="18" rx="2" fill="${ember}"/>`
          : "",
      );
      return [
        figure({
          y: 194,
          scale: 1.15,
          face: { glow: on, mouth: on > 0.5 ? "grin" : "flat", blink: on > 0.5 ? 0 : 0.4, antennae: [on * 8, on * 8] },
          red: { x: -42, y: -42, angle: -20, open: 0.2 },
          chrome: { x: 42, y: -42, angle: 20, open: 0.2 },
        }),
        svg`<rect x="36" y="192" width="168" height="32" rx="7" fill="#0d1322" stroke="${ink}" stroke-width="4"/>${cells}`,
      ].join("");
    },
  },
  {
    id: "rewind",
    alt: "The lobster turns a great clock back, step by step",
    moods: ["calm", "busy"],
    occasions: ["rollback-done"],
    serious: true,
    backdrop: "plum",
    frames: 16,
    draw: (t) => {
      const turn = keys(t, [0, 0], [0.6, -1], [1, -1]) * 360;
      const pull = keys(t, [0, 0], [0.55, 1], [0.75, 1], [1, 0]);
      const marks = Array.from({ length: 12 }, (_, index) => place({ rotate: index * 30 }, line("M0 -50V-44", ink, 4)));
      return [
        shadow(84),
        place(
          { x: 166, y: 104 },
          svg`<circle r="62" fill="#f3ece2" stroke="${ink}" stroke-width="5"/><circle r="62" fill="none" stroke="#f2b93b" stroke-width="4" transform="scale(0.92)"/>${marks}`,
          place({ rotate: turn }, line("M0 4V-40", "#e4432c", 6)),
          place({ rotate: turn / 12 + 60 }, line("M0 4V-26", ink, 6)),
          svg`<circle r="6" fill="${ink}"/>`,
          line("M-30 30A42 42 0 0 1 -36 -22M-44 -12L-36 -24L-26 -14", "#5a8f7a", 5),
        ),
        figure({
          x: 78,
          lean: -pull * 5,
          red: { x: -40, y: -42 },
          chrome: { x: 50 - pull * 8, y: -72 + pull * 12, angle: 60 - pull * 30, open: 0.3 },
          face: { lookX: 0.8, brow: 10, mouth: "flat", glow: 0.5 + 0.4 * pull },
        }),
      ].join("");
    },
  },
  {
    id: "patched-hull",
    alt: "The lobster sets a dented sign back on its post and pats it",
    moods: ["calm", "sorry"],
    occasions: ["rollback-done", "failed-but-fixed"],
    backdrop: "slate",
    frames: 18,
    draw: (t) => {
      const tilt = keys(t, [0, 26], [0.1, 26], [0.4, -3], [0.5, 0], [0.9, 0], [1, 26]);
      const pat = keys(t, [0, 0], [0.5, 0], [0.58, 1], [0.64, 0], [0.7, 1], [0.76, 0], [1, 0]);
      return [
        shadow(84),
        place(
          { x: 178, y: 220, rotate: tilt },
          form("M-5 -110H5V0H-5Z", "#74838f"),
          place(
            { y: -126, scale: 1.1 },
            form("M-34 -24H28L36 -16V24H-34Z", "#4fa56f"),
            line("M-16 -2L-5 10L16 -10", "#f3ece2", 7),
            form("M18 8H32V20H18Z", "#c5d0da", 2),
          ),
        ),
        figure({
          x: 82,
          red: { x: -42, y: -42 },
          chrome: { x: 44 + tilt * 0.2, y: -62 + pat * 8, angle: 40 + pat * 18, open: 0.1 },
          face: { lookX: 0.9, lookY: -0.3, mouth: tilt > 8 ? "frown" : "smile", brow: tilt > 8 ? -10 : 4, glow: 0.6 },
        }),
      ].join("");
    },
  },
];
