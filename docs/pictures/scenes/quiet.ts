/** Hellos, waits and nights. */
import { figure } from "../draw/figure.ts";
import { again, keys, pulse, scatter, swing } from "../draw/motion.ts";
import { ember, gold, ink } from "../draw/palette.ts";
import { form, line, mug, zed } from "../draw/props.ts";
import { place, svg } from "../draw/svg.ts";
import { shadow } from "../draw/tile.ts";
import type { Scene } from "../scene.ts";

function moonAndStars(t: number): string {
  const stars = Array.from({ length: 14 }, (_, index) => {
    const shine = 0.35 + 0.65 * pulse(t, 1 + (index % 2), scatter(index));
    return svg`<circle cx="${scatter(index) * 230 + 5}" cy="${scatter(index, 1) * 120 + 8}" r="${1 + scatter(index, 2) * 1.6}" fill="#fff" opacity="${shine}"/>`;
  });
  return svg`${stars}<path d="M52 22A30 30 0 1 0 78 66A25 25 0 0 1 52 22Z" fill="#fff0c8"/>`;
}

export const quiet: Scene[] = [
  {
    id: "wave",
    alt: "The lobster waves hello with its red claw",
    moods: ["happy", "warm"],
    occasions: ["greeting", "ready"],
    backdrop: "dawn",
    draw: (t) =>
      [
        shadow(),
        figure({
          bob: swing(t, 2),
          lean: swing(t) * 2,
          red: { x: -50, y: -84, angle: -12 + swing(t, 2) * 24, open: 0.35 + 0.3 * swing(t, 2), elbow: 0.9, size: 1.1 },
          chrome: { x: 46, y: -42 },
          face: {
            tilt: swing(t) * 5,
            mouth: "grin",
            brow: -4,
            glow: 0.6 + 0.3 * swing(t),
            antennae: [swing(t, 2) * 10, -swing(t, 2) * 10],
            blink: keys(t, [0, 0], [0.6, 0], [0.68, 1], [0.76, 0]),
          },
        }),
      ].join(""),
  },
  {
    id: "snap",
    alt: "The lobster steps up and snaps both claws in turn",
    moods: ["happy", "busy"],
    occasions: ["greeting", "resumed"],
    backdrop: "sea",
    draw: (t) => {
      const left = Math.max(0, swing(t, 2));
      const right = Math.max(0, swing(t, 2, 0.5));
      const click = (x: number, strength: number) =>
        strength < 0.12 ? place({ x, y: 66 }, line("M0 -4V-14M-9 0L-17 -8M9 0L17 -8", gold, 4)) : "";
      return [
        shadow(),
        figure({
          y: 222,
          bob: -Math.abs(swing(t, 2)) * 3,
          red: { x: -54, y: -70, angle: -10, open: left, size: 1.1 },
          chrome: { x: 54, y: -70, angle: 10, open: right, size: 1.1 },
          face: { lookX: right - left, tilt: (right - left) * 4, glow: 0.5 + 0.5 * right, mouth: "grin" },
        }),
        click(50, left) + click(190, right),
      ].join("");
    },
  },
  {
    id: "shades",
    alt: "Sunglasses drop onto the lobster's nose, and it grins",
    moods: ["proud", "happy"],
    occasions: ["celebrate", "ready", "praise"],
    backdrop: "ember",
    frames: 18,
    draw: (t) => {
      const drop = keys(t, [0, 130], [0.12, 130], [0.4, 0], [0.46, 5], [0.52, 0], [0.9, 0], [1, -150]);
      const on = drop < 12 && drop > -12;
      const glint = keys(t, [0, 0], [0.56, 0], [0.62, 1], [0.7, 0], [1, 0]);
      const gone = t > 0.93 ? 130 : drop;
      return [
        shadow(),
        figure({
          bob: (on ? 1 : 0) + swing(t) * 1.5,
          red: { x: -36, y: -40, angle: 70, open: 0.05, elbow: 1 },
          chrome: { x: 36, y: -48, angle: -70, open: 0.05, elbow: 1 },
          face: {
            shades: gone,
            mouth: on ? "grin" : "flat",
            brow: on ? 8 : 0,
            lookY: on ? 0 : -0.8,
            antennae: [swing(t) * 6, -swing(t) * 6],
            glow: on ? 0 : 0.6,
            tilt: on ? 4 : 0,
          },
        }),
        place(
          { x: 156, y: 84, scale: glint, rotate: glint * 40 },
          form("M0 -20L4 -4L20 0L4 4L0 20L-4 4L-20 0L-4 -4Z", "#ffffff", 2),
        ),
      ].join("");
    },
  },
  {
    id: "coffee",
    alt: "The lobster sips from a steaming mug",
    moods: ["patient", "calm"],
    occasions: ["waiting", "greeting", "paused"],
    backdrop: "plum",
    frames: 18,
    draw: (t) => {
      const sip = keys(t, [0, 0], [0.3, 1], [0.6, 1], [0.85, 0], [1, 0]);
      const steam = [0, 1, 2].map((index) => {
        const rise = again(t, 1, index / 3);
        return place(
          {
            x: 160 - sip * 14 + index * 6 + swing(rise, 1) * 5,
            y: 128 - sip * 20 - rise * 52,
            opacity: Math.sin(Math.PI * rise) * 0.8,
          },
          line("M0 8Q-7 0 0 -6T0 -18", "#f3ece2", 4),
        );
      });
      return [
        shadow(),
        figure({
          red: { x: -44, y: -42, angle: -24, open: 0.2 },
          chrome: { x: 46 - sip * 12, y: -44 - sip * 12, angle: -24, open: 0.3, size: 0.8 },
          face: {
            tilt: sip * -6,
            blink: sip,
            lookX: 0.3,
            mouth: sip > 0.5 ? "small" : "smile",
            brow: -2,
            glow: 0.35 + 0.2 * (1 - sip),
          },
        }),
        place({ x: 158 - sip * 16, y: 146 - sip * 14, rotate: -sip * 18, scale: 1.1 }, mug()),
        steam.join(""),
      ].join("");
    },
  },
  {
    id: "clock",
    alt: "The lobster looks at its watch and taps a foot",
    moods: ["patient"],
    occasions: ["waiting", "paused"],
    serious: true,
    backdrop: "slate",
    draw: (t) =>
      [
        place(
          { x: 188, y: 58 },
          svg`<circle r="36" fill="#f3ece2" stroke="${ink}" stroke-width="5"/>`,
          Array.from({ length: 12 }, (_, index) => place({ rotate: index * 30 }, line("M0 -29V-25", ink, 3))).join(""),
          place({ rotate: t * 360 }, line("M0 0V-23", "#e4432c", 4)),
          place({ rotate: 300 }, line("M0 0V-14", ink, 5)),
          svg`<circle r="4" fill="${ink}"/>`,
        ),
        shadow(104),
        figure({
          x: 104,
          walk: 0.25 + 0.25 * Math.max(0, swing(t, 3)) * 0.6,
          red: { x: -22, y: -44, angle: 70, open: 0.1, elbow: 1.1 },
          chrome: { x: 44, y: -40, angle: 40, open: 0.2 },
          face: {
            lookX: keys(t, [0, 0.8], [0.3, 0.8], [0.45, -0.2], [0.8, -0.2], [1, 0.8]),
            lookY: keys(t, [0, -0.7], [0.3, -0.7], [0.45, 0.9], [0.8, 0.9], [1, -0.7]),
            mouth: "flat",
            brow: 6,
            glow: 0.5,
          },
        }),
      ].join(""),
  },
  {
    id: "asleep",
    alt: "The lobster sleeps under the moon; its red eye glows faintly with each breath",
    moods: ["sleepy", "calm"],
    occasions: ["night", "paused"],
    backdrop: "night",
    frames: 20,
    frameMs: 120,
    draw: (t) => {
      const breath = pulse(t);
      const zeds = [0, 1, 2].map((index) => {
        const rise = again(t, 1, index / 3);
        return place(
          {
            x: 168 + rise * 34,
            y: 110 - rise * 80,
            scale: 0.55 + rise * 0.7,
            rotate: swing(rise) * 10,
            opacity: Math.sin(Math.PI * rise),
          },
          zed(),
        );
      });
      return [
        moonAndStars(t),
        figure({
          y: 232,
          bob: breath * 3,
          hideLegs: false,
          red: { x: -30, y: -30, angle: 60, open: 0.05 },
          chrome: { x: 30, y: -30, angle: -60, open: 0.05 },
          face: {
            tilt: 9 + breath * 3,
            y: 6 + breath * 2,
            blink: 1,
            glow: 0.06 + breath * 0.18,
            mouth: breath > 0.5 ? "small" : "flat",
            brow: -6,
            antennae: [24 + breath * 6, 24 + breath * 6],
          },
        }),
        form(svg`M20 ${206 - breath * 3}Q120 ${188 - breath * 4} 220 ${206 - breath * 3}V250H20Z`, "#3a4f8a", 4),
        line(svg`M20 ${218 - breath * 3}Q120 ${200 - breath * 4} 220 ${218 - breath * 3}`, "#7d93d6", 5),
        zeds.join(""),
      ].join("");
    },
  },
  {
    id: "night-watch",
    alt: "Two eyes and two antennae rise over a dark wall and look left and right",
    moods: ["calm", "patient"],
    occasions: ["night", "thinking"],
    serious: true,
    backdrop: "night",
    frames: 20,
    draw: (t) => {
      const up = keys(t, [0, 0], [0.2, 1], [0.8, 1], [0.95, 0], [1, 0]);
      const look = keys(t, [0, 0], [0.25, -1], [0.42, -1], [0.55, 1], [0.72, 1], [0.85, 0]);
      return [
        moonAndStars(t),
        place(
          { x: 120 + look * 4 + 20, y: 150 - up * 30, opacity: up },
          svg`<path d="M0 0L${look * 150} -26V30Z" fill="#ff3a1e" opacity="0.18"/>`,
        ),
        figure({
          y: 318 - up * 76,
          hideLegs: true,
          scale: 1.3,
          red: { x: -62, y: -92, angle: 0, open: 0.05, size: 0.8 },
          chrome: { x: 62, y: -92, angle: 0, open: 0.05, size: 0.8 },
          face: { lookX: look, glow: 0.4 + up * 0.6, mouth: "flat", antennae: [look * 10, -look * 10] },
        }),
        form("M-5 176H245V245H-5Z", "#26304f", 4),
        line(
          "M0 198H240M0 220H240M40 178V198M120 178V198M200 178V198M80 198V220M160 198V220M40 220V240M120 220V240M200 220V240",
          "#151c33",
          3,
        ),
      ].join("");
    },
  },
  {
    id: "empty-purse",
    alt: "The lobster shakes an empty purse; a moth flutters out",
    moods: ["sorry", "calm"],
    occasions: ["budget-out"],
    backdrop: "ember",
    frames: 18,
    draw: (t) => {
      const shake = keys(t, [0, 0], [0.1, 1], [0.3, 1], [0.4, 0], [1, 0]) * swing(t, 9) * 6;
      const fly = keys(t, [0, 0], [0.32, 0], [0.92, 1], [1, 1]);
      const flap = Math.abs(swing(t, 8));
      return [
        shadow(),
        figure({
          red: { x: -44, y: -42, angle: -50, open: 0.5 },
          chrome: { x: 46, y: -60 + shake * 0.4, angle: 30, open: 0.2, size: 0.85 },
          face: {
            lookX: 0.7,
            lookY: 0.5 - fly * 1.4,
            mouth: "frown",
            brow: -14,
            glow: 0.4,
            antennae: [12 + swing(t) * 5, 12 - swing(t) * 5],
          },
        }),
        place(
          { x: 194, y: 150 + shake, rotate: 200 + shake },
          form("M-14 -22C-30 0 -28 24 0 24S30 0 14 -22Z", "#8a5a34"),
          form("M-16 -30H16V-20H-16Z", gold),
          line("M-10 4H10", "#5a3016", 3),
        ),
        fly > 0.01 && fly < 0.99
          ? place(
              { x: 200 - swing(fly, 1.5) * 20, y: 176 - fly * 168, scale: 1.1 },
              place({ rotate: -20 - flap * 40 }, form("M0 0C-22 -16 -22 10 0 4Z", "#e0d2bb", 2.5)),
              place({ rotate: 20 + flap * 40 }, form("M0 0C22 -16 22 10 0 4Z", "#e0d2bb", 2.5)),
              svg`<ellipse rx="3.500" ry="8" fill="${ink}"/>`,
            )
          : "",
      ].join("");
    },
  },
  {
    id: "hold-sign",
    alt: "The lobster holds up a sign with two bars and waits",
    moods: ["firm", "patient"],
    occasions: ["paused", "budget-out"],
    serious: true,
    backdrop: "plum",
    draw: (t) =>
      [
        shadow(96),
        figure({
          x: 92,
          red: { x: -42, y: -42, open: 0.2 },
          chrome: { x: 54, y: -66, angle: 8, open: 0.15, size: 0.9 },
          face: {
            lookX: swing(t) * 0.4,
            mouth: "flat",
            brow: 10,
            glow: 0.3 + 0.4 * pulse(t),
            blink: keys(t, [0, 0], [0.4, 0], [0.48, 1], [0.56, 0]),
          },
        }),
        place(
          { x: 164, y: 70, rotate: 6 + swing(t) * 4 },
          line("M0 30V128", ink, 10),
          line("M0 30V128", "#b07a45", 5),
          form("M-18 -44H18L44 -18V18L18 44H-18L-44 18V-18Z", "#e8531a", 4),
          line("M-12 -16V16M12 -16V16", "#fffaf2", 11),
        ),
      ].join(""),
  },
  {
    id: "umbrella",
    alt: "The lobster stands in the rain under a red umbrella and shrugs it off",
    moods: ["calm", "sorry"],
    occasions: ["sorry", "waiting"],
    serious: true,
    backdrop: "slate",
    draw: (t) => {
      const drops = Array.from({ length: 26 }, (_, index) => {
        const x = scatter(index) * 250 - 5;
        const y = again(t, 2, scatter(index, 1)) * 270 - 20;
        const dry = x > 34 && x < 206 && y > 60;
        return dry
          ? ""
          : svg`<path d="M${x} ${y}l-3 12" stroke="#a9d4ee" stroke-width="3" stroke-linecap="round" opacity="0.75"/>`;
      });
      const splash = [0, 1, 2].map((index) => {
        const part = again(t, 2, index / 3);
        return svg`<ellipse cx="${[22, 216, 190][index] ?? 0}" cy="${226 - index * 4}" rx="${3 + part * 10}" ry="${1 + part * 3}" fill="none" stroke="#a9d4ee" stroke-width="2" opacity="${1 - part}"/>`;
      });
      return [
        shadow(),
        drops.join(""),
        splash.join(""),
        figure({
          y: 222,
          scale: 1.05,
          red: { x: -42, y: -42 },
          chrome: { x: 46, y: -58, angle: 0, open: 0.15, size: 0.85 },
          face: { mouth: "smile", brow: -6, lookY: -0.5, tilt: swing(t) * 3, glow: 0.55, antennae: [36, 36] },
        }),
        place(
          { x: 140, y: 66, rotate: swing(t) * 2.5 },
          line("M26 -20V96", ink, 8),
          line("M26 -20V96", "#c5d0da", 4),
          form(
            "M-92 14C-84 -70 100 -70 112 14Q94 0 78 14Q60 0 44 14Q26 0 8 14Q-10 0 -28 14Q-44 0 -60 14Q-76 0 -92 14Z",
            ember,
            4,
          ),
          line("M8 12Q-4 -30 10 -48M44 12Q54 -28 12 -48", "#a8230f", 3),
        ),
      ].join("");
    },
  },
];
