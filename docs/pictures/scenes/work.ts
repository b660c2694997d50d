/** At work: pull requests, papers, repairs. */
import { figure } from "../draw/figure.ts";
import { again, keys, scatter, swing } from "../draw/motion.ts";
import { bone, ember, gold, good, ink, screen } from "../draw/palette.ts";
import { form, laptop, line, sheet, star } from "../draw/props.ts";
import { place, svg } from "../draw/svg.ts";
import { shadow } from "../draw/tile.ts";
import type { Scene } from "../scene.ts";

function node(x: number, y: number, color: string): string {
  return svg`<circle cx="${x}" cy="${y}" r="9" fill="${color}" stroke="${ink}" stroke-width="3"/>`;
}

export const work: Scene[] = [
  {
    id: "merged-lift",
    alt: "The lobster lifts a merged branch over its head like a barbell",
    moods: ["proud", "happy"],
    occasions: ["landed", "celebrate"],
    backdrop: "sea",
    draw: (t) => {
      const up = keys(t, [0, 0], [0.35, 1], [0.7, 1], [1, 0]);
      const shake = up > 0.95 ? swing(t, 8) * 1.2 : 0;
      const y = 128 - up * 92;
      const bar = [
        line("M-88 0H88", ink, 13),
        line("M-88 0H88", screen, 7),
        line("M-58 0C-36 0 -34 -24 -12 -24H14C38 -24 36 0 58 0", ink, 12),
        line("M-58 0C-36 0 -34 -24 -12 -24H14C38 -24 36 0 58 0", ember, 6),
        node(-88, 0, screen) + node(-58, 0, screen) + node(0, -24, ember) + node(58, 0, good) + node(88, 0, good),
      ];
      return [
        shadow(),
        figure({
          y: 222,
          bob: 4 - up * 5,
          red: { x: -46 + shake, y: -74 - up * 50, angle: -8, open: 0.35, elbow: 1, size: 0.9 },
          chrome: { x: 46 + shake, y: -74 - up * 50, angle: 8, open: 0.35, elbow: 1, size: 0.9 },
          face: {
            y: 6 - up * 4,
            mouth: up > 0.8 ? "open" : "flat",
            brow: 16 - up * 16,
            glow: 0.4 + up * 0.6,
            antennae: [40, 40],
          },
        }),
        place({ x: 120 + shake, y: y + 6 }, bar),
      ].join("");
    },
  },
  {
    id: "rails",
    alt: "A small cart rolls along a branch into the main line; the lobster throws the switch",
    moods: ["busy", "calm"],
    occasions: ["landed", "resumed"],
    serious: true,
    backdrop: "slate",
    frames: 20,
    draw: (t) => {
      const go = keys(t, [0, 0], [0.15, 0.05], [0.85, 1], [1, 1]);
      const lever = keys(t, [0, 0], [0.12, 1], [0.85, 1], [1, 0]);
      const x = -30 + go * 300;
      const y = x < 60 ? 196 : x < 120 ? 196 + ((x - 60) / 60) ** 2 * (3 - (2 * (x - 60)) / 60) * 24 : 220;
      return [
        line("M-10 200H60C90 200 92 224 120 224H250", ink, 9),
        line("M-10 200H60C90 200 92 224 120 224H250", ember, 4),
        line("M-10 224H120", screen, 4),
        figure({
          x: 140,
          y: 206,
          scale: 1.05,
          red: { x: -52, y: -50, angle: -60 + lever * 50, open: 0.15 },
          chrome: { x: 44, y: -44 },
          face: { lookX: keys(t, [0, -1], [0.15, -1], [0.85, 1], [1, -1]), lookY: 0.5, mouth: "smile" },
        }),
        place(
          { x: 72, y: 208, rotate: -36 + lever * 44 },
          line("M0 0V-56", ink, 10),
          line("M0 0V-56", "#c5d0da", 5),
          svg`<circle cy="-58" r="8" fill="#e4432c" stroke="${ink}" stroke-width="3"/>`,
        ),
        place(
          { x, y: y - 4 },
          form("M-26 -28H26L20 -4H-20Z", "#56646f"),
          place({ y: -36, scale: 0.55 }, sheet(), place({ scale: 1.2 }, line("M-11 0L-3 9L12 -10", good, 7))),
          svg`<circle cx="-12" cy="-1" r="7" fill="#20262d" stroke="${ink}" stroke-width="3"/><circle cx="12" cy="-1" r="7" fill="#20262d" stroke="${ink}" stroke-width="3"/>`,
        ),
      ].join("");
    },
  },
  {
    id: "welding",
    alt: "The lobster welds a cracked plate behind a mask; sparks fly",
    moods: ["busy", "firm"],
    occasions: ["failed-but-fixed", "image-built"],
    serious: true,
    backdrop: "forge",
    draw: (t) => {
      const arc = 0.55 + 0.45 * Math.abs(swing(t, 5));
      const sparks = Array.from({ length: 14 }, (_, index) => {
        const part = again(t, 2, scatter(index));
        const angle = -Math.PI * (0.1 + 0.8 * scatter(index, 1));
        const far = part * (40 + 50 * scatter(index, 2));
        const x = 152 + Math.cos(angle) * far;
        const y = 176 + Math.sin(angle) * far + part * part * 62;
        return svg`<path d="M${x} ${y}l${Math.cos(angle) * 7} ${Math.sin(angle) * 7 + part * 6}" stroke="${index % 3 === 0 ? "#fff3c4" : gold}" stroke-width="${3.4 * (1 - part)}" stroke-linecap="round" opacity="${1 - part}"/>`;
      });
      return [
        shadow(98, 216),
        figure({
          x: 98,
          lean: 4,
          red: { x: -36, y: -40, angle: -30, open: 0.2 },
          chrome: { x: 46, y: -54 + swing(t, 2), angle: 110, open: 0.05, size: 0.9 },
          face: { mask: 1, tilt: 5, antennae: [8, 8] },
        }),
        form("M112 184H228V222H112Z", "#74838f", 4),
        line("M152 184L160 196L154 206L164 222", "#20262d", 4),
        line("M120 192H140M190 214H220", "#9fb0bf", 3),
        svg`<circle cx="152" cy="178" r="${34 + arc * 16}" fill="url(#light)" opacity="${arc}"/><circle cx="152" cy="178" r="${5 + arc * 4}" fill="#fff"/>`,
        sparks.join(""),
      ].join("");
    },
  },
  {
    id: "typing",
    alt: "The lobster types fast on a laptop in the dark",
    moods: ["busy"],
    occasions: ["thinking", "waiting"],
    serious: true,
    backdrop: "night",
    draw: (t) => {
      const left = Math.max(0, swing(t, 6)) * 7;
      const right = Math.max(0, swing(t, 6, 0.5)) * 7;
      const marks = [0, 1, 2].map((index) => {
        const rise = again(t, 1, index / 3);
        return place(
          { x: 190 + index * 8, y: 120 - rise * 80, scale: 0.8, opacity: Math.sin(Math.PI * rise) },
          line(["M8 -8L16 0L8 8", "M-12 0H12", "M-8 -10Q-16 0 -8 10M8 -10Q16 0 8 10"][index] ?? "", screen, 4),
        );
      });
      return [
        svg`<circle cx="120" cy="130" r="96" fill="url(#light)" opacity="${0.26 + 0.06 * swing(t, 3)}"/>`,
        figure({
          y: 196,
          bob: swing(t, 3),
          red: { x: -40, y: -36 - left, angle: 100, open: 0.15, size: 0.8 },
          chrome: { x: 40, y: -36 - right, angle: -100, open: 0.15, size: 0.8 },
          face: {
            lookX: swing(t) * 0.7,
            lookY: 0.7,
            mouth: "flat",
            brow: 14,
            glow: 0.8,
            blink: keys(t, [0, 0], [0.5, 0], [0.56, 1], [0.62, 0]),
          },
        }),
        form("M0 204H240V240H0Z", "#2a3350"),
        place({ x: 120, y: 196, scale: 1.15 }, laptop(0.9 + 0.1 * swing(t, 3))),
        marks.join(""),
      ].join("");
    },
  },
  {
    id: "scroll",
    alt: "The lobster reads a very long scroll line by line",
    moods: ["patient", "calm"],
    occasions: ["memory", "thinking", "triage"],
    serious: true,
    backdrop: "ember",
    draw: (t) => {
      const rows = Array.from({ length: 9 }, (_, index) => {
        const y = 136 + ((index / 8 + 1 - again(t, 1)) % 1) * 92;
        return svg`M${88 + scatter(index) * 6} ${y}H${150 - scatter(index, 1) * 22}`;
      });
      return [
        figure({
          y: 200,
          red: { x: -46, y: -46, angle: 34, open: 0.2, size: 0.85 },
          chrome: { x: 46, y: -46, angle: -34, open: 0.2, size: 0.85 },
          face: { lookX: swing(t, 2) * 0.9, lookY: 0.8, tilt: swing(t) * 3, mouth: "small", brow: 4, glow: 0.6 },
        }),
        form("M76 128H164V244H76Z", bone, 4),
        line(rows.join(""), "#a08f78", 4),
        form("M68 120H172Q178 128 172 138H68Q62 128 68 120Z", "#e0d2bb", 4),
      ].join("");
    },
  },
  {
    id: "archive",
    alt: "The lobster files a glowing card into a drawer and shuts it",
    moods: ["calm", "busy"],
    occasions: ["memory"],
    serious: true,
    backdrop: "slate",
    frames: 18,
    draw: (t) => {
      const open = keys(t, [0, 0], [0.15, 1], [0.65, 1], [0.8, 0], [1, 0]);
      const drop = keys(t, [0, 0], [0.3, 0], [0.55, 1], [1, 1]);
      const lit = keys(t, [0, 0], [0.8, 0], [0.86, 1], [1, 0]);
      return [
        shadow(84),
        form("M138 92H226V222H138Z", "#4a5763", 4),
        [0, 1, 2].map((row) => {
          const y = 100 + row * 40;
          const out = row === 0 ? open * 14 : 0;
          return svg`<g transform="translate(${-out} ${out * 0.6})">${form(svg`M144 ${y}H220V${y + 34}H144Z`, row === 0 ? "#8495a3" : "#6b7884")}${line(svg`M174 ${y + 17}H192`, ink, 5)}<circle cx="206" cy="${y + 9}" r="4" fill="${row === 0 && lit > 0.3 ? good : "#39444e"}"/></g>`;
        }),
        drop < 0.98 &&
          place(
            {
              x: 168,
              y: 62 + drop * 44,
              rotate: -6 + drop * 6,
              opacity: keys(t, [0, 0], [0.12, 1], [0.5, 1], [0.56, 0]),
            },
            svg`<circle r="30" fill="url(#warm)" opacity="0.6"/>`,
            form("M-18 -14H10L18 -6V16H-18Z", gold),
            line("M-10 -4H8M-10 5H4", "#8a5a10", 3),
          ),
        figure({
          x: 78,
          red: { x: -42, y: -42 },
          chrome: {
            x: 54 - open * 2,
            y: -98 + drop * 34,
            angle: 66 + drop * 10,
            open: keys(t, [0, 0.1], [0.3, 0.1], [0.5, 0.8], [0.8, 0.1]),
          },
          face: { lookX: 0.9, lookY: drop * 0.6 - 0.4, mouth: "smile", glow: 0.5 + lit * 0.5 },
        }),
      ]
        .flat()
        .map((part) => part || "")
        .join("");
    },
  },
  {
    id: "magnifier",
    alt: "The lobster looks at small bugs through a magnifying glass, one eye huge",
    moods: ["busy", "puzzled"],
    occasions: ["triage", "question"],
    serious: true,
    backdrop: "sea",
    draw: (t) => {
      const across = swing(t);
      const bug = (index: number) =>
        place(
          { x: again(t, 1, index / 3) * 300 - 30, y: 206 + index * 11 - Math.abs(swing(t, 8, index / 3)) * 3 },
          line("M-6 4L-9 9M0 5V10M6 4L9 9", ink, 2.5),
          svg`<ellipse rx="9" ry="6" fill="${["#f2b93b", "#8fe0ff", "#ff8a9a"][index]}" stroke="${ink}" stroke-width="2.500"/><circle cx="8" r="3.500" fill="${ink}"/>`,
        );
      return [
        shadow(),
        figure({
          y: 204,
          lean: across * 3,
          red: { x: -46, y: -44 },
          chrome: { x: 46 + across * 4, y: -48, angle: -6, open: 0.1, size: 0.85 },
          face: { lookX: across * 0.6, lookY: 0.7, tilt: 4, mouth: "small", brow: -6, glow: 0.6 },
        }),
        place(
          { x: 106 + across * 5, y: 74 + swing(t, 2) * 2 },
          line("M26 26L58 56", ink, 15),
          line("M26 26L58 56", "#8a5a34", 9),
          svg`<circle r="35" fill="#d9f1f7" stroke="${ink}" stroke-width="10"/><circle r="35" fill="none" stroke="url(#chrome)" stroke-width="5"/><circle r="23" fill="#fffaf2" stroke="${ink}" stroke-width="3"/><circle cx="${across * 7}" cy="7" r="11" fill="#1a1413"/><circle cx="${3 + across * 7}" cy="2" r="4" fill="#fff"/><path d="M-24 -18Q-14 -28 0 -29" stroke="#fff" stroke-width="4" fill="none" stroke-linecap="round"/>`,
        ),
        [0, 1, 2].map(bug).join(""),
      ].join("");
    },
  },
  {
    id: "broom",
    alt: "The lobster sweeps old dusty papers out of the picture",
    moods: ["busy", "calm"],
    occasions: ["stale", "triage"],
    serious: true,
    backdrop: "slate",
    draw: (t) => {
      const sweep = keys(t, [0, 0], [0.45, 1], [0.6, 1], [1, 0]);
      const papers = [0, 1, 2].map((index) => {
        const away = keys(t, [0, 0], [0.12, 0], [0.7, 1], [1, 1]);
        const back = keys(t, [0, 1], [0.7, 1], [0.72, 0], [0.9, 0], [1, 1]);
        return place(
          {
            x: 148 + index * 24 + away * 110,
            y: 208 - index * 5 - Math.sin(Math.PI * away) * (18 + index * 9),
            rotate: index * 24 + away * 130,
            scale: 0.5,
            opacity: back,
          },
          sheet(),
        );
      });
      return [
        shadow(96),
        papers.join(""),
        figure({
          x: 92,
          lean: -4 + sweep * 9,
          red: { x: 6 + sweep * 12, y: -40, angle: 70, open: 0.1, size: 0.85 },
          chrome: { x: 50 + sweep * 8, y: -62, angle: 14, open: 0.1, size: 0.85 },
          face: { lookX: 0.8, lookY: 0.7, mouth: "flat", brow: 6 },
        }),
        place(
          { x: 148 + sweep * 14, y: 148, rotate: 4 - sweep * 22 },
          line("M0 -70V44", ink, 10),
          line("M0 -70V44", "#b07a45", 5),
          form("M-10 42H10L20 74H-20Z", gold),
          line("M-8 52L-12 70M0 52V72M8 52L12 70", "#8a5a10", 2.5),
        ),
      ].join("");
    },
  },
  {
    id: "cobweb",
    alt: "A spider lowers itself past a card with cobwebs; the lobster blows the dust off",
    moods: ["patient", "puzzled"],
    occasions: ["stale", "waiting"],
    backdrop: "plum",
    frames: 18,
    draw: (t) => {
      const blow = keys(t, [0, 0], [0.35, 0], [0.5, 1], [0.75, 1], [0.9, 0], [1, 0]);
      const spider = keys(t, [0, 0], [0.5, 1], [0.6, 1], [1, 0]);
      const dust = Array.from({ length: 8 }, (_, index) => {
        const go = again(t, 2, scatter(index));
        return svg`<circle cx="${168 + go * 60}" cy="${120 + (scatter(index, 1) - 0.5) * 70 - go * 14}" r="${5 * (1 - go) + 1}" fill="#d8cfe0" opacity="${blow * (1 - go) * 0.8}"/>`;
      });
      return [
        shadow(82),
        place(
          { x: 182, y: 132, rotate: blow * swing(t, 6) * 2, scale: 1.25 },
          sheet(52, 66),
          line("M-26 -33Q-6 -20 26 -33M-26 -14Q-12 -22 -8 -33M-26 6Q-2 -10 14 -33", "#ffffff", 2),
        ),
        line(svg`M216 0V${40 + spider * 50}`, "#e6dcef", 1.5),
        place(
          { x: 216, y: 46 + spider * 50 },
          line("M-12 -6L12 6M-12 6L12 -6M-13 0H13", ink, 2.5),
          svg`<circle r="7" fill="#20262d" stroke="${ink}" stroke-width="2"/><circle cx="-2.500" cy="1" r="1.800" fill="#ff5a45"/><circle cx="2.500" cy="1" r="1.800" fill="#ff5a45"/>`,
        ),
        figure({
          x: 76,
          lean: -3 + blow * 7,
          red: { x: -40, y: -40 },
          chrome: { x: 44, y: -46 },
          face: {
            lookX: 0.9,
            mouth: blow > 0.3 ? "small" : "flat",
            tilt: -4 + blow * 8,
            brow: 0,
            blink: blow * 0.6,
            glow: 0.6,
          },
        }),
        dust.join(""),
      ].join("");
    },
  },
  {
    id: "trophy",
    alt: "The lobster raises a gold cup in a rain of confetti",
    moods: ["happy", "proud"],
    occasions: ["celebrate", "praise", "landed"],
    backdrop: "ember",
    draw: (t) => {
      const colors = ["#f2b93b", "#8fe0ff", "#4fc98a", "#ff8a9a", "#f3ece2"];
      const confetti = Array.from({ length: 22 }, (_, index) => {
        const fall = again(t, 1, scatter(index));
        return place(
          {
            x: scatter(index, 1) * 240 + swing(fall, 2) * 8,
            y: fall * 270 - 15,
            rotate: (fall * 360 + index * 50) % 360,
          },
          svg`<rect x="-4" y="-2.500" width="8" height="5" fill="${colors[index % colors.length]}"/>`,
        );
      });
      const hop = Math.abs(swing(t, 1));
      return [
        shadow(120, 218, 58 - hop * 12),
        figure({
          y: 224 - hop * 12,
          red: { x: -56, y: -64 - hop * 14, angle: -30, open: 0.5 },
          chrome: { x: 44, y: -92, angle: 8, open: 0.3, elbow: 0.7 },
          face: { mouth: "open", glow: 0.9, brow: 0, antennae: [hop * 12, hop * 12] },
        }),
        place(
          { x: 176, y: 74 - hop * 12, rotate: swing(t) * 6, scale: 1.1 },
          line("M-20 -22C-40 -22 -34 4 -14 6M20 -22C40 -22 34 4 14 6", ink, 9),
          line("M-20 -22C-40 -22 -34 4 -14 6M20 -22C40 -22 34 4 14 6", gold, 4),
          form("M-24 -30H24C24 0 14 12 4 14V24H14V32H-14V24H-4V14C-14 12 -24 0 -24 -30Z", gold),
          line("M-14 -22C-14 -8 -10 0 -6 4", "#fff3c4", 4),
          place({ y: -10, scale: 0.6 }, star("#e4432c")),
        ),
        confetti.join(""),
      ].join("");
    },
  },
];
