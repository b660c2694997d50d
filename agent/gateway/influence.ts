/** What shaped a proposal: a person's own typed words, or a model that may have read what strangers wrote. */
import { canonicalJson, type Json } from "../../tools/json.ts";
import { parseCommand } from "../commands.ts";
import type { ProposeAnswer, RunEvent } from "../protocol.ts";
import { cleanSource, nameSources } from "../public-sources.ts";
import type { AuditLog } from "./audit.ts";
import type { Message } from "./inbox.ts";

/** Whether the maintainer's own words are exactly this command, by the same grammar for everyone. */
export function isTypedCommand(message: Message, operation: string, input: unknown): boolean {
  if (message.kind !== "chat" || message.author.kind !== "maintainer") return false;
  const command = parseCommand(message.text);
  if (command.kind !== "call" || command.tool !== operation) return false;
  return canonicalJson((command.input ?? {}) as Json) === canonicalJson((input ?? {}) as Json);
}

/** The source's name is text from elsewhere; nobody who watches gets it as it came. */
export function withCleanSource(event: RunEvent): RunEvent {
  if (event.type !== "tool" || event.publicSource === undefined) return event;
  return { ...event, publicSource: cleanSource(event.publicSource) };
}

/** Answers a run that has read public text and calls a sensitive operation; the audit log is told first. */
export async function refuseSensitive(options: {
  audit: AuditLog;
  instance: string;
  message: Message;
  operation: string;
  publicSources: readonly string[];
  /** The id that its approval would have had. */
  id: string;
}): Promise<ProposeAnswer> {
  const { author, conversation } = options.message;
  const { operation } = options;
  const from = nameSources(options.publicSources);
  const code = "sensitive_after_public_text";
  await options.audit.write(
    {
      action: "proposal.refused",
      actor: `${author.kind}:${author.id}`,
      surface: options.instance,
      subject: operation,
      detail: `${code}: in ${conversation}, a model that had read public text from ${from} called ${operation}`,
    },
    // A run that is taken up again makes the same call again.
    { once: `${options.id}/refused-sensitive` },
  );
  return {
    status: "refused",
    code,
    message: `${operation} is refused here: this conversation holds public text, from ${from}, and the policy calls ${operation} sensitive`,
    hint: `a maintainer asks for it in a new conversation, or proposes it without a model: \`clawdinator operations propose ${operation}\``,
  };
}
