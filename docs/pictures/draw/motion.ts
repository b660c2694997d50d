/** Movement over one loop: `t` runs from 0 (the first frame) to 1 (the first frame again). */

/** A smooth swing between -1 and 1, `times` a loop. */
export function swing(t: number, times = 1, phase = 0): number {
  return Math.sin(2 * Math.PI * (t * times + phase));
}

/** The same between 0 and 1, beginning at 0. */
export function pulse(t: number, times = 1, phase = 0): number {
  return (1 - Math.cos(2 * Math.PI * (t * times + phase))) / 2;
}

/** A value that goes from key to key, slowly out of each and slowly into the next. Keys are in order of their time. */
export function keys(t: number, ...frames: readonly (readonly [time: number, value: number])[]): number {
  let before = frames[0];
  if (!before || t <= before[0]) return before?.[1] ?? 0;
  for (const after of frames) {
    if (t <= after[0] && after[0] > before[0]) {
      const part = (t - before[0]) / (after[0] - before[0]);
      return before[1] + (after[1] - before[1]) * part * part * (3 - 2 * part);
    }
    before = after;
  }
  return before[1];
}

/** Where something is that passes again and again: 0 to 1, shifted by `phase`. */
export function again(t: number, times = 1, phase = 0): number {
  return (((t * times + phase) % 1) + 1) % 1;
}

/** Repeatable numbers between 0 and 1, for sparks, drops and confetti. */
export function scatter(index: number, salt = 0): number {
  const mixed = Math.imul(index + 1, 2654435761) ^ Math.imul(salt + 7, 1597334677);
  const stirred = Math.imul(mixed ^ (mixed >>> 15), 2246822519);
  return ((stirred ^ (stirred >>> 13)) >>> 0) / 4294967296;
}
