/** Gateway events as Discord sends them, and seeded damage to them. */
import type { Json } from "./world.ts";

/** Numbers from 0 up to 1, always the same for a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A copy with one to four of its values changed into what no reader expects. */
export function mutated(event: Json, random: () => number): Json {
  const copy = structuredClone(event);
  const count = 1 + Math.floor(random() * 4);
  for (let change = 0; change < count; change++) damage(copy, random);
  return copy;
}

function damage(root: Json, random: () => number): void {
  let place: Json = root;
  for (;;) {
    const keys = Object.keys(place);
    if (keys.length === 0) return;
    const key = keys[Math.floor(random() * keys.length)]!;
    const value = place[key];
    if (typeof value === "object" && value !== null && random() < 0.7) {
      place = value as Json;
      continue;
    }
    if (random() < 0.2) delete place[key];
    else place[key] = strange(value, random);
    return;
  }
}

function strange(value: unknown, random: () => number): unknown {
  const kinds: (() => unknown)[] = [
    () => null,
    () => "",
    () => 0,
    () => -1,
    () => 1e308,
    () => true,
    () => [],
    () => ({}),
    () => [[[[value]]]],
    () => ({ toString: "x", constructor: value, length: -1 }),
    () => "x".repeat(10_000),
    () => "\u202e\u0000\ud800<@&0>@everyone",
    () => "99999999999999999999999999",
    () => "../../etc/passwd",
    () => JSON.stringify(value) ?? "",
    () => (typeof value === "string" ? Number(value) : String(typeof value)),
    () => [value, value],
    () => "2026-13-45T99:99:99",
  ];
  return kinds[Math.floor(random() * kinds.length)]!();
}
