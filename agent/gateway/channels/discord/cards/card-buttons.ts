/** Approve, Reject and Details below a card, and the modal that asks why something is rejected. */
import type { ButtonInteraction, ModalSubmitInteraction } from "discord.js";
import type { ApprovalView, Decision } from "../../../../protocol.ts";
import type { Approvals } from "../../../approvals.ts";
import type { Actor } from "../../../maintainers.ts";
import { again } from "../again.ts";
import type { InteractionHandlers } from "../commands/interactions.ts";
import { type Answerable, modalDeadlineMs, refusalText, type Visit } from "../commands/interactions-visit.ts";
import { renderDetails } from "./card-details.ts";
import type { ButtonRecord, CardRecords } from "./card-records.ts";
import { oneLine, plain } from "./card-text.ts";
import type { Cards } from "./cards.ts";

/** Discord's numbers for a row, a text field and one of several lines. */
const actionRow = 1;
const textInput = 4;
const paragraph = 2;

const reasonField = "reason";
const longestReason = 1_000;

export function createCardButtons(options: {
  approvals: Pick<Approvals, "get" | "decide">;
  records: CardRecords;
  cards: Pick<Cards, "keep" | "addressOf">;
  /** Something is to do. */
  wake(): void;
}): Pick<InteractionHandlers, "onButton" | "onModal"> {
  const { approvals, records, cards } = options;

  return {
    async onButton(visit) {
      const known = records.peek(visit.interaction.customId);
      if (known?.action === "reject") return askWhy(visit, known);
      const actor = await visit.enter({ changes: known?.action !== "details" });
      if (!actor) return;
      const found = known ?? (await lookUp(visit));
      if (!found) return;
      if (found.action === "details") return showDetails(visit, found);
      if (found.action === "approve") return vote(visit, found, { actor, decision: "approve" });
      // Not known without asking the store: closed long ago, or this instance has only just come up.
      const approval = await approvals.get(found.approval);
      if (approval?.state !== "pending") return vote(visit, found, { actor, decision: "reject" });
      await visit.answer("I have only just come up. Press Reject once more, please.");
    },

    async onModal(visit) {
      const actor = await visit.enter({ changes: true });
      if (!actor) return;
      const found = await lookUp(visit);
      if (!found) return;
      if (found.action !== "reject") {
        await visit.note("discord.forged", "a modal with the custom id of another kind of button");
        return visit.answer("I do not know this form.");
      }
      await vote(visit, found, { actor, decision: "reject", reason: reasonOf(visit.interaction) });
    },
  };

  async function lookUp({ interaction, note, answer }: Visit<ButtonInteraction | ModalSubmitInteraction>) {
    const found = await records.button(interaction.customId);
    if (found) return found;
    await note("discord.forged", `a custom id that no card has: ${oneLine(interaction.customId, 100)}`);
    await answer("I do not know this button. `/approvals` shows what waits.");
    return null;
  }

  /** A modal can only be the first answer, so it waits for the door for as long as Discord would. */
  async function askWhy(visit: Visit<ButtonInteraction>, { approval: id }: ButtonRecord): Promise<void> {
    const late = Symbol();
    const found = await Promise.race([
      Promise.all([visit.admission(), approvals.get(id)]),
      new Promise<typeof late>((resolve) => setTimeout(() => resolve(late), modalDeadlineMs).unref()),
    ]);
    if (found === late) return visit.answer("That took too long. Press Reject once more, please.");
    const [admission, approval] = found;
    if (!admission.admitted) return visit.answer(refusalText);
    if (approval?.state !== "pending") return visit.answer(await decidedText(approval));
    const modal = {
      custom_id: visit.interaction.customId,
      title: `Reject ${id}`,
      components: [
        {
          type: actionRow,
          components: [
            {
              type: textInput,
              custom_id: reasonField,
              label: "Why? (for the record; may stay empty)",
              style: paragraph,
              required: false,
              max_length: longestReason,
            },
          ],
        },
      ],
    };
    await again(() => visit.interaction.showModal(modal));
  }

  async function showDetails(visit: Visit<ButtonInteraction>, { approval: id }: ButtonRecord): Promise<void> {
    const approval = await approvals.get(id);
    await visit.answer(approval ? renderDetails(approval) : "This approval is gone.");
  }

  /** The same call as the console's, with the digest that the card shows. */
  async function vote(
    visit: Visit<Answerable>,
    { approval: id, digest }: ButtonRecord,
    { actor, decision, reason }: { actor: Actor; decision: Decision["decision"]; reason?: string | undefined },
  ): Promise<void> {
    const result = await approvals.decide({ id, actor, decision: { decision, digest, ...(reason ? { reason } : {}) } });
    options.wake();
    void cards.keep(id);
    if (result.outcome !== "refused") return visit.answer(`${plain(result.message, 400)}.`);
    const { code, approval, message, hint } = result;
    const isOver = code === "already_decided" || code === "superseded" || code === "expired";
    await visit.answer(isOver ? await decidedText(approval) : `${plain(message, 800)}. ${plain(hint, 400)}.`);
  }

  /** Why there is nothing to decide any more, and where the new plan is. */
  async function decidedText(approval: ApprovalView | null): Promise<string> {
    if (!approval) return "This approval is gone.";
    const { state, votes, reason, supersededBy } = approval;
    const last = votes.at(-1);
    if (state === "superseded") {
      const next = supersededBy === null ? null : await cards.addressOf(supersededBy);
      const instead = supersededBy === null ? "" : ` The new plan: ${next ?? supersededBy}`;
      return `This plan was superseded: ${plain(reason ?? "", 1_000)}.${instead}`;
    }
    if (state === "expired" || !last) return "This plan expired. Ask for it again.";
    const verb = last.decision === "approve" ? "approved" : "rejected";
    const at = `<t:${Math.floor(last.at / 1000)}:f>`;
    return `Already decided: ${verb} by ${plain(last.name, 100)} through ${plain(last.surface, 100)}, ${at}.`;
  }
}

/** Undefined where none was given, or the form was not ours. */
function reasonOf({ fields }: ModalSubmitInteraction): string | undefined {
  try {
    return oneLine(fields.getTextInputValue(reasonField), longestReason) || undefined;
  } catch {
    return undefined;
  }
}
