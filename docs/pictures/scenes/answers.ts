/** Yes, no, perhaps: what is said with one claw. */
import { figure } from "../draw/figure.ts";
import { again, keys, pulse, scatter, swing } from "../draw/motion.ts";
import { check, cross, form, heart, line, questionMark, sheet, star } from "../draw/props.ts";
import { place, svg } from "../draw/svg.ts";
import { shadow } from "../draw/tile.ts";
import type { Scene } from "../scene.ts";

export const answers: Scene[] = [
  {
    id: "claw-up",
    alt: "The lobster raises its chrome claw like a thumb and its red eye flares",
    moods: ["proud", "happy"],
    occasions: ["ready", "approved", "failed-but-fixed"],
    serious: true,
    backdrop: "sea",
    draw: (t) => {
      const up = keys(t, [0, 0], [0.25, 1], [0.75, 1], [1, 0]);
      return [
        shadow(),
        figure({
          bob: swing(t) * 1.5,
          chrome: { x: 46 + up * 14, y: -48 - up * 38, angle: 30 - up * 26, open: 0.9 - up * 0.9, size: 1 + up * 0.2 },
          red: { angle: -24, open: 0.2 },
          face: { tilt: up * 5, glow: 0.4 + up * 0.6, mouth: "grin", antennae: [swing(t) * 4, up * 8] },
        }),
        place({ x: 204, y: 56, scale: up, rotate: 12 * swing(t), opacity: up }, star()),
      ].join("");
    },
  },
  {
    id: "stamp",
    alt: "The lobster stamps a sheet, and a green tick appears on it",
    moods: ["proud", "busy"],
    occasions: ["approved", "landed"],
    backdrop: "slate",
    frames: 18,
    draw: (t) => {
      const down = keys(t, [0, 0], [0.15, 0], [0.35, 1], [0.45, 1], [0.65, 0], [1, 0]);
      const mark = keys(t, [0, 0], [0.36, 0], [0.4, 1.25], [0.5, 1], [0.9, 1], [1, 0]);
      const hit = t > 0.35 && t < 0.45 ? 2 : 0;
      return [
        figure({
          y: 200,
          face: {
            tilt: -4 + down * 8,
            lookY: 0.7,
            lookX: 0.2,
            mouth: down > 0.5 ? "flat" : "smile",
            glow: 0.5 + down * 0.5,
          },
          chrome: { x: 56 - down * 28, y: -98 + down * 44, angle: 176, open: 0.15, size: 0.95 },
          red: { x: -50, y: -42, angle: -60, open: 0.3 },
        }),
        form("M0 186H240V240H0Z", "#5a3f33"),
        line("M0 190H240", "#8a6653", 4),
        place(
          { x: 126, y: 206 + hit },
          svg`<g transform="scale(1.5 0.8)">${sheet(60, 50)}</g>`,
          place({ scale: 1.3 * Math.min(mark, 1.25), opacity: Math.min(1, mark) }, check()),
        ),
        place(
          { x: 152 - down * 26, y: 102 + down * 62 },
          form("M-5 -16H5V6H-5Z", "#8a5a34"),
          form("M-16 6H16V18H-16Z", "#3b4651"),
        ),
      ].join("");
    },
  },
  {
    id: "no-entry",
    alt: "The lobster crosses its claws in front of it and shakes its head",
    moods: ["firm"],
    occasions: ["rejected"],
    serious: true,
    backdrop: "ember",
    draw: (t) => {
      const shake = swing(t, 2);
      return [
        shadow(),
        figure({
          red: { x: 6, y: -42, angle: 46, open: 0.05, elbow: 1, size: 1.1 },
          chrome: { x: -6, y: -36, angle: -46, open: 0.05, elbow: 1, size: 1.1 },
          face: {
            x: shake * 4,
            tilt: shake * 3,
            lookX: shake * 0.6,
            mouth: "flat",
            brow: 20,
            glow: 0.55 + 0.4 * pulse(t, 2),
          },
        }),
      ].join("");
    },
  },
  {
    id: "bin",
    alt: "The lobster drops a crossed-out sheet into a bin",
    moods: ["firm", "calm"],
    occasions: ["rejected", "stale"],
    backdrop: "slate",
    frames: 18,
    draw: (t) => {
      const fall = keys(t, [0, 0], [0.35, 0], [0.6, 1], [1, 1]);
      const hop = keys(t, [0, 0], [0.58, 0], [0.64, 1], [0.75, 0], [1, 0]);
      const back = keys(t, [0, 1], [0.12, 1], [0.3, 0], [0.8, 0], [1, 1]);
      return [
        shadow(92),
        figure({
          x: 92,
          lean: 2 - back * 4,
          chrome: {
            x: 62,
            y: -76 - (1 - back) * 12,
            angle: 80 - back * 20,
            open: keys(t, [0, 0], [0.33, 0], [0.42, 1], [0.8, 0.7], [1, 0]),
          },
          face: { lookX: 0.9, lookY: fall * 0.9, mouth: fall > 0.8 ? "smile" : "flat", tilt: fall * 5, brow: 12 },
        }),
        fall < 0.97 &&
          place(
            { x: 194, y: 96 + fall * 78 + back * 6, rotate: fall * 24, opacity: keys(t, [0, 0], [0.15, 1], [0.6, 1]) },
            sheet(40, 48),
            cross(),
          ),
        place(
          { x: 196, y: 190, rotate: hop * 4, scale: 1 + hop * 0.04 },
          form("M-28 -28H28L22 28H-22Z", "#56646f"),
          line("M-12 -18L-9 20M0 -18V20M12 -18L9 20", "#39444e", 4),
          form("M-32 -34H32V-26H-32Z", "#74838f"),
        ),
      ]
        .map((part) => part || "")
        .join("");
    },
  },
  {
    id: "claw-heart",
    alt: "The lobster holds up a beating heart with both claws",
    moods: ["warm", "happy"],
    occasions: ["praise", "celebrate"],
    backdrop: "plum",
    draw: (t) => {
      const beat = pulse(t, 2);
      const small = [0, 1, 2, 3].map((index) => {
        const rise = again(t, 1, index / 4);
        return place(
          {
            x: 40 + index * 53,
            y: 150 - rise * 110,
            scale: 0.28 + scatter(index) * 0.2,
            opacity: Math.sin(Math.PI * rise) * 0.9,
            rotate: swing(rise) * 14,
          },
          heart("#ff8a9a"),
        );
      });
      return [
        small.join(""),
        shadow(),
        figure({
          bob: -beat * 2,
          red: { x: -44, y: -34, angle: 14, open: 0.3 },
          chrome: { x: 44, y: -34, angle: -14, open: 0.3 },
          face: {
            y: -4,
            mouth: "smile",
            brow: -4,
            glow: 0.4 + beat * 0.5,
            blink: keys(t, [0, 0], [0.8, 0], [0.88, 1], [0.96, 0]),
          },
        }),
        place(
          { x: 120, y: 156 - beat * 2, scale: 1.75 + beat * 0.4 },
          heart(),
          line("M-11 -9Q-13 -4 -10 0", "#ffc2c8", 3),
        ),
      ].join("");
    },
  },
  {
    id: "shrug",
    alt: "The lobster shrugs with both claws open",
    moods: ["puzzled", "sorry"],
    occasions: ["question", "sorry"],
    backdrop: "slate",
    draw: (t) => {
      const up = keys(t, [0, 0], [0.3, 1], [0.7, 1], [1, 0]);
      return [
        shadow(),
        figure({
          bob: up * 2,
          red: { x: -48 - up * 2, y: -46 - up * 18, angle: -34 - up * 10, open: 0.4 + up * 0.5 },
          chrome: { x: 48 + up * 2, y: -46 - up * 18, angle: 34 + up * 10, open: 0.4 + up * 0.5 },
          face: {
            tilt: up * -9,
            y: up * 5,
            mouth: up > 0.5 ? "frown" : "flat",
            brow: -14 * up,
            lookY: -0.6 * up,
            antennae: [up * 16 + swing(t) * 4, up * 16 - swing(t) * 4],
            glow: 0.5 + 0.2 * swing(t),
          },
        }),
      ].join("");
    },
  },
  {
    id: "head-tilt",
    alt: "The lobster tilts its head; a question mark bobs above it",
    moods: ["puzzled"],
    occasions: ["question", "thinking"],
    backdrop: "plum",
    draw: (t) => {
      const lean = keys(t, [0, -1], [0.4, 1], [0.6, 1], [1, -1]);
      return [
        shadow(),
        figure({
          y: 222,
          red: { x: -44, y: -44, angle: -30, open: 0.3 },
          chrome: { x: 40, y: -50, angle: -42, open: 0.1, elbow: 1.2, size: 0.85 },
          face: {
            tilt: lean * 14,
            lookX: -lean * 0.6,
            lookY: -0.7,
            mouth: "small",
            brow: -8,
            glow: 0.4 + 0.3 * pulse(t),
            antennae: [lean * 10, -lean * 10],
          },
        }),
        place({ x: 196, y: 54 + swing(t) * 5, rotate: swing(t, 1, 0.2) * 8, scale: 1.15 }, questionMark()),
      ].join("");
    },
  },
  {
    id: "facepalm",
    alt: "The lobster puts a claw to its face and shakes its head slowly",
    moods: ["sorry"],
    occasions: ["sorry", "failed-but-fixed"],
    backdrop: "night",
    frames: 18,
    draw: (t) => {
      const up = keys(t, [0, 0], [0.25, 1], [0.85, 1], [1, 0]);
      const shake = up * swing(t, 2) * 4;
      return [
        shadow(),
        figure({
          y: 220,
          red: { x: -44 + up * 30 + shake, y: -52 - up * 30, angle: -20 + up * 22, open: 0.3 - up * 0.25, size: 1.05 },
          chrome: { x: 46, y: -40, angle: 60, open: 0.2 },
          face: {
            tilt: up * 7,
            x: shake,
            y: up * 5,
            blink: up,
            mouth: "frown",
            brow: -16,
            glow: 0.5 - up * 0.35,
            antennae: [up * 26, up * 26],
          },
        }),
      ].join("");
    },
  },
  {
    id: "salute",
    alt: "The lobster stands straight and salutes with its chrome claw",
    moods: ["firm", "proud"],
    occasions: ["resumed", "ready", "goodbye"],
    serious: true,
    backdrop: "dawn",
    draw: (t) => {
      const up = keys(t, [0, 0], [0.2, 1], [0.7, 1], [0.9, 0], [1, 0]);
      return [
        shadow(),
        figure({
          bob: -up * 2,
          red: { x: -40, y: -34, angle: 190, open: 0.1, size: 0.9 },
          chrome: { x: 48 + up * 18, y: -40 - up * 60, angle: 150 - up * 178, open: 0.04, size: 0.9, elbow: 1.2 },
          face: {
            mouth: "flat",
            brow: 10,
            glow: 0.45 + up * 0.55,
            antennae: [-up * 10 + swing(t, 1) * 4, -up * 10 - swing(t, 1) * 4],
            tilt: up * 2,
          },
        }),
      ].join("");
    },
  },
];
