/** Colours of every picture, and the gradients that they share. */
export const ink = "#230c0a";
export const ember = "#ff7a45";
export const bone = "#f3ece2";
export const gold = "#f2b93b";
export const good = "#4fc98a";
export const screen = "#8fe0ff";

export const gradients = `
<linearGradient id="shell" x1="0.2" y1="0" x2="0.7" y2="1"><stop offset="0" stop-color="#ff7a58"/><stop offset="0.45" stop-color="#e4432c"/><stop offset="1" stop-color="#b42a14"/></linearGradient>
<linearGradient id="chrome" x1="0" y1="0" x2="0.5" y2="1"><stop offset="0" stop-color="#ffffff"/><stop offset="0.4" stop-color="#c5d0da"/><stop offset="0.55" stop-color="#8495a3"/><stop offset="0.8" stop-color="#d3dce4"/><stop offset="1" stop-color="#75848f"/></linearGradient>
<linearGradient id="leather" x1="0" y1="0" x2="0.6" y2="1"><stop offset="0" stop-color="#46525f"/><stop offset="0.5" stop-color="#272e36"/><stop offset="1" stop-color="#181c21"/></linearGradient>
<radialGradient id="eye"><stop offset="0" stop-color="#fff3ea"/><stop offset="0.3" stop-color="#ff6a4a"/><stop offset="0.75" stop-color="#f0200c"/><stop offset="1" stop-color="#8c0d04"/></radialGradient>
<radialGradient id="glow"><stop offset="0" stop-color="#ff3a1e" stop-opacity="0.95"/><stop offset="0.4" stop-color="#ff3a1e" stop-opacity="0.4"/><stop offset="1" stop-color="#ff3a1e" stop-opacity="0"/></radialGradient>
<radialGradient id="light"><stop offset="0" stop-color="#ffffff" stop-opacity="0.95"/><stop offset="0.35" stop-color="#bfe9ff" stop-opacity="0.55"/><stop offset="1" stop-color="#bfe9ff" stop-opacity="0"/></radialGradient>
<radialGradient id="warm"><stop offset="0" stop-color="#fff3c4" stop-opacity="0.95"/><stop offset="0.4" stop-color="#ffb347" stop-opacity="0.5"/><stop offset="1" stop-color="#ff7a1a" stop-opacity="0"/></radialGradient>
<clipPath id="tile"><rect width="240" height="240" rx="30"/></clipPath>
<clipPath id="head"><path d="M0 -43C5 -35 12 -32 21 -30C36 -26 42 -12 40 3C38 17 30 27 19 32H-19C-30 27 -38 17 -40 3C-42 -12 -36 -26 -21 -30C-12 -32 -5 -35 0 -43Z"/></clipPath>
`;

export type Backdrop = "slate" | "night" | "ember" | "sea" | "forge" | "plum" | "dawn";

/** Top, bottom, and the light behind the figure. */
export const backdrops: Record<Backdrop, [string, string, string]> = {
  slate: ["#33475a", "#1d2a36", "#5d7d97"],
  night: ["#1b2440", "#10162a", "#3a4f8a"],
  ember: ["#5b2f28", "#2b1a1d", "#a85a3c"],
  sea: ["#1f5560", "#123139", "#3f97a0"],
  forge: ["#3a2420", "#1d1312", "#8a3d1c"],
  plum: ["#4a3558", "#261c33", "#80609a"],
  dawn: ["#f0a169", "#7a4560", "#ffd9a0"],
};
