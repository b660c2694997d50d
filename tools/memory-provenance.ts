import type { Provenance } from "../memory/index.ts";
import type { ReadContext, Trust } from "./tool.ts";

/** Who writes to memory in a run, from what, and how far that can be trusted. */
export function provenanceOf(context: ReadContext): Provenance {
  const source = context.call === undefined ? context.conversation : `${context.conversation}#${context.call}`;
  return { author: context.author.name, source, trust: context.trust };
}

const order: Trust[] = ["public", "self", "maintainer"];

/** The least trusted of several texts; `maintainer` when there are none. */
export function lowestTrustOf(texts: { trust: Trust }[]): Trust {
  return order.find((trust) => texts.some((text) => text.trust === trust)) ?? "maintainer";
}
