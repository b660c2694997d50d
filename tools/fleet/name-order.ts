/** The order of names. Apart from the schemas, because the command line needs it and must start quickly. */

/** Sorts CLAWDINATOR-2 before CLAWDINATOR-10. */
export function compareNames(a: string, b: string): number {
  return nameNumber(a) - nameNumber(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** The n of CLAWDINATOR-n. */
export function nameNumber(name: string): number {
  return Number(name.slice(name.lastIndexOf("-") + 1));
}
