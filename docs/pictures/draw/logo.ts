/** The same face as in the pictures, cut down to what still shows at 24 pixels. */
export const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">
  <title>CLAWDINATOR</title>
  <defs>
    <linearGradient id="shell" x1="0.2" y1="0" x2="0.7" y2="1">
      <stop offset="0" stop-color="#ff7a58" />
      <stop offset="0.45" stop-color="#e4432c" />
      <stop offset="1" stop-color="#b42a14" />
    </linearGradient>
    <linearGradient id="chrome" x1="0" y1="0" x2="0.5" y2="1">
      <stop offset="0" stop-color="#ffffff" />
      <stop offset="0.45" stop-color="#c5d0da" />
      <stop offset="0.6" stop-color="#8495a3" />
      <stop offset="1" stop-color="#cfd9e1" />
    </linearGradient>
    <radialGradient id="eye">
      <stop offset="0" stop-color="#fff3ea" />
      <stop offset="0.35" stop-color="#ff6a4a" />
      <stop offset="1" stop-color="#e81a08" />
    </radialGradient>
    <clipPath id="head"><path d="M32 11c3 5 7 7 12 8 10 3 13 11 12 20-1 8-6 13-12 15H20c-6-2-11-7-12-15-1-9 2-17 12-20 5-1 9-3 12-8z" /></clipPath>
  </defs>
  <g fill="none" stroke-linecap="round">
    <path d="M23 20C20 11 14 6 4 5M41 20c3-9 9-14 19-15" stroke="#230c0a" stroke-width="6" />
    <path d="M23 20C20 11 14 6 4 5" stroke="#ff6a45" stroke-width="3" />
    <path d="M41 20c3-9 9-14 19-15" stroke="#b4c1cc" stroke-width="3" />
  </g>
  <g clip-path="url(#head)">
    <path d="M0 0h64v64H0z" fill="url(#shell)" />
    <path d="M34 6l-2 12 4 5-4 7 3 6-3 6 3 5-3 9 4 8h28V0z" fill="url(#chrome)" stroke="#230c0a" stroke-width="2" />
  </g>
  <path d="M32 11c3 5 7 7 12 8 10 3 13 11 12 20-1 8-6 13-12 15H20c-6-2-11-7-12-15-1-9 2-17 12-20 5-1 9-3 12-8z" fill="none" stroke="#230c0a" stroke-width="3" stroke-linejoin="round" />
  <path d="M13 26l14 3" stroke="#230c0a" stroke-width="4" stroke-linecap="round" />
  <circle cx="21" cy="36" r="6.5" fill="#fffaf2" stroke="#230c0a" stroke-width="2.2" />
  <circle cx="22" cy="37" r="3" fill="#1a1413" />
  <circle cx="44" cy="36" r="8" fill="#1b2128" stroke="#230c0a" stroke-width="2" />
  <circle cx="44" cy="36" r="5" fill="url(#eye)" />
  <path d="M17 47h30l-3 9-6 5H26l-6-5z" fill="url(#chrome)" stroke="#230c0a" stroke-width="2.4" stroke-linejoin="round" />
  <path d="M22 50q10 4 20 0l-2 6q-8 3-16 0z" fill="#fffaf2" stroke="#230c0a" stroke-width="1.8" stroke-linejoin="round" />
  <path d="M28 52v5M32 52v5.5M36 52v5" stroke="#6f7c88" stroke-width="1.2" />
</svg>
`;
