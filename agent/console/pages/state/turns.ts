/** A conversation as it is shown: one turn per message, made from stored entries or from a run's events. */
import type { ConversationEntry, RunEvent } from "../../../protocol.ts";

export type TurnPart =
  | { kind: "text"; text: string }
  | { kind: "notice"; text: string }
  | { kind: "tool"; call: string; name: string; state: "started" | "succeeded" | "failed"; text: string }
  | { kind: "picture"; picture: string; alt: string }
  | { kind: "proposal"; approval: string; summary: string }
  | { kind: "error"; message: string; hint: string };

export interface Turn {
  message: string;
  /** What was asked; null for a notice, which nobody asked for. */
  text: string | null;
  author: string;
  channel: string;
  at: number;
  parts: TurnPart[];
  status: "running" | "reconnecting" | "ended" | "lost";
  /** Why the run ended, such as `answered` or `interrupted`. */
  reason: string | null;
}

export function newTurn(message: string, text: string | null, at: number): Turn {
  return { message, text, author: "", channel: "", at, parts: [], status: "ended", reason: null };
}

/** Stored entries, oldest first, as turns. A message whose run goes on has the status `running`. */
export function turnsOf(entries: ConversationEntry[], running: string[]): Turn[] {
  const turns = new Map<string, Turn>();
  for (const entry of entries) {
    const turn = turns.get(entry.message) ?? newTurn(entry.message, null, entry.at);
    turns.set(entry.message, turn);
    applyEntry(turn, entry);
  }
  for (const turn of turns.values()) if (running.includes(turn.message)) turn.status = "running";
  return [...turns.values()];
}

function applyEntry(turn: Turn, { at, body }: ConversationEntry): void {
  if (body.role === "user") {
    Object.assign(turn, { text: body.text, author: body.author.name, channel: body.channel, at });
  } else if (body.role === "assistant") {
    if (body.text.trim()) turn.parts.push({ kind: "text", text: body.text });
    for (const call of body.calls) putTool(turn, { call: call.call, name: call.name, state: "started", text: "" });
  } else if (body.role === "tool") {
    putTool(turn, { call: body.call, name: body.name, state: body.ok ? "succeeded" : "failed", text: body.text });
    const approval = approvalOf(body.data);
    if (approval) putProposal(turn, approval, "");
  } else if (body.role === "notice") {
    turn.parts.push({ kind: "notice", text: body.text });
  } else if (body.role === "picture") {
    putPicture(turn, body);
  } else if (body.role === "end") {
    endTurn(turn, body.reason, body.text);
  }
}

/** Takes in what a run did; events of one run come in order. */
export function applyEvent(turn: Turn, event: RunEvent): void {
  if (event.type === "text") {
    const last = turn.parts.at(-1);
    if (last?.kind === "text") last.text += event.text;
    else turn.parts.push({ kind: "text", text: event.text });
  } else if (event.type === "restart") {
    turn.parts = [];
  } else if (event.type === "tool") {
    putTool(turn, event);
  } else if (event.type === "notice") {
    turn.parts.push({ kind: "notice", text: event.text });
  } else if (event.type === "picture") {
    putPicture(turn, event);
  } else if (event.type === "proposal") {
    putProposal(turn, event.approval, event.summary);
  } else if (event.type === "error") {
    turn.parts.push({ kind: "error", message: event.message, hint: event.hint });
  } else if (event.type === "done") {
    endTurn(turn, event.reason, event.text);
  }
}

/** The end names the whole answer: whatever of it was not seen, such as after a lost connection, is put in place. */
function endTurn(turn: Turn, reason: string, text: string): void {
  turn.status = "ended";
  turn.reason = reason;
  const shown = answerText(turn);
  if (!text.trim() || squeeze(shown).includes(squeeze(text))) return;
  if (reason === "failed" && turn.parts.some((part) => part.kind === "error")) return;
  if (reason === "failed") turn.parts.push({ kind: "error", message: text, hint: "" });
  else {
    const others = turn.parts.filter((part) => part.kind !== "text");
    const pictures = others.filter((part) => part.kind === "picture");
    turn.parts = [...others.filter((part) => part.kind !== "picture"), { kind: "text", text }, ...pictures];
  }
}

function answerText(turn: Turn): string {
  return turn.parts.map((part) => (part.kind === "text" ? part.text : "")).join("\n\n");
}

function squeeze(text: string): string {
  return text.replace(/\s+/g, "");
}

function putTool(
  turn: Turn,
  tool: { call: string; name: string; state: "started" | "succeeded" | "failed"; text: string },
): void {
  const known = turn.parts.find((part) => part.kind === "tool" && part.call === tool.call);
  const next = { kind: "tool" as const, call: tool.call, name: tool.name, state: tool.state, text: tool.text };
  if (known) Object.assign(known, next);
  else turn.parts.push(next);
}

function putPicture(turn: Turn, { picture, alt }: { picture: string; alt: string }): void {
  if (turn.parts.some((part) => part.kind === "picture" && part.picture === picture)) return;
  turn.parts.push({ kind: "picture", picture, alt });
}

function putProposal(turn: Turn, approval: string, summary: string): void {
  if (turn.parts.some((part) => part.kind === "proposal" && part.approval === approval)) return;
  turn.parts.push({ kind: "proposal", approval, summary });
}

/** A stored tool result that proposed something carries the approval's id. */
function approvalOf(data: unknown): string | null {
  const proposal = (data as { proposal?: { approval?: unknown } } | null | undefined)?.proposal;
  return typeof proposal?.approval === "string" ? proposal.approval : null;
}
