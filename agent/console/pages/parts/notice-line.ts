/** What happened, told in the middle of a conversation: nobody said it. */
import { html, type TemplateResult } from "lit";
import { icon } from "../lib/icons.ts";
import { routeHash } from "../lib/router.ts";
import { store } from "../state/store.ts";

/** Of operations whose plan names who they are about. */
const pastWords: { [operation: string]: string } = {
  instance_launch: "launched",
  instance_replace: "replaced",
  instance_retire: "retired",
};

/** The end of an operation names it in its message's id: the line then leads there, in fewer words when it went well. */
export function noticeLine(message: string, text: string): TemplateResult {
  const operation = store.operations.get(message.replace(/^notice-/, ""));
  if (!operation) return html`<p class="notice">${icon("operations")}<span>${text}</span></p>`;
  const isGood = operation.state === "succeeded";
  const names = store.approvals.get(operation.approval)?.plan.targets.map(({ name }) => name) ?? [];
  const past = pastWords[operation.operation];
  const words = isGood && past && names.length > 0 ? `${names.join(", ")} ${past}` : text;
  return html`
    <p class="notice ${isGood ? "notice-good" : "notice-bad"}">
      ${icon(isGood ? "done" : "alert")}<a href=${routeHash("operations", operation.id)}>${words}</a>
    </p>
  `;
}
