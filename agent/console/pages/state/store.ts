/** What the console knows, in one place. Elements render from it and are told when it changes. */

import type { FleetDrift, FleetStatus, PausedBy } from "../../../../tools/fleet/model.ts";
import type { ApprovalView, AuditEntry, LiveEvent, OperationView } from "../../../protocol.ts";
import { ApiError, getJson } from "../lib/api.ts";
import { learnServerTime } from "../lib/clock.ts";
import { toasts } from "./toasts.ts";

export interface Session {
  maintainer: { id: string; name: string };
  instance: { name: string | null; instance: string; revision: string; version: string };
  paused: boolean;
  /** Null while nobody has paused. */
  pausedBy?: PausedBy | null;
}

export interface ConversationSummary {
  id: string;
  title: string;
  updatedAt: number;
}

/** As many audit entries as the page keeps; older ones are read with `clawdinator audit`. */
export const auditEntriesKept = 200;

class ConsoleStore {
  /** `undefined` until the gateway was asked, null when nobody is logged in. */
  session: Session | null | undefined = undefined;
  connection: "connecting" | "live" | "reconnecting" = "connecting";
  fleet: FleetStatus | null = null;
  fleetReceivedAt = 0;
  drift: FleetDrift | null = null;
  approvals = new Map<string, ApprovalView>();
  operations = new Map<string, OperationView>();
  audit: AuditEntry[] = [];
  conversations: ConversationSummary[] = [];
  /** Which lists have been read at least once: an empty list is shown as empty only then. */
  readonly loaded = new Set<string>();

  readonly #listeners = new Set<() => void>();
  /** Ids, and `fleet`, that an event changed while a list was being read: the event is newer than the answer. */
  readonly #touched = new Set<string>();
  #fleetSignature = "";

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  get pendingApprovals(): ApprovalView[] {
    return [...this.approvals.values()].filter((approval) => approval.state === "pending");
  }

  /** Takes in one live event. */
  apply(event: LiveEvent): void {
    if (event.type === "fleet") {
      this.#touched.add("fleet");
      this.#setFleet(event.fleet);
    }
    if (event.type === "approval") this.setApproval(event.approval);
    if (event.type === "operation") this.setOperation(event.operation);
    if (event.type === "audit") this.#addAudit(event.entry);
    if (event.type === "paused") this.#setPaused(event);
    this.changed();
  }

  setApproval(approval: ApprovalView): void {
    this.#touched.add(approval.id);
    this.approvals.set(approval.id, approval);
    this.changed();
  }

  setOperation(operation: OperationView): void {
    this.#touched.add(operation.id);
    this.operations.set(operation.id, operation);
    this.changed();
  }

  /** Reads every list again: at the start and after each lost connection. */
  async refresh(): Promise<void> {
    this.#touched.clear();
    await Promise.all([
      this.#read<Session>("session", "/api/session", (answer) => {
        this.session = answer;
      }),
      this.#read<{ approvals: ApprovalView[] }>("approvals", "/api/approvals", (answer) => {
        this.#merge(this.approvals, answer.approvals);
      }),
      this.#read<{ operations: OperationView[] }>("operations", "/api/operations", (answer) => {
        this.#merge(this.operations, answer.operations);
      }),
      this.#read<FleetStatus>("fleet", "/api/fleet", (answer) => {
        if (!this.#touched.has("fleet")) this.#setFleet(answer);
      }),
      this.#read<{ entries: AuditEntry[] }>("audit", `/api/audit?limit=${auditEntriesKept}`, (answer) => {
        this.audit = [];
        for (const entry of answer.entries) this.#addAudit(entry);
      }),
      this.refreshConversations(),
    ]);
  }

  async refreshConversations(): Promise<void> {
    await this.#read<{ conversations: ConversationSummary[] }>("conversations", "/api/conversations", (answer) => {
      this.conversations = answer.conversations.toSorted((a, b) => b.updatedAt - a.updatedAt);
    });
  }

  async refreshDrift(): Promise<void> {
    await this.#read<FleetDrift>("drift", "/api/drift", (answer) => {
      this.drift = answer;
    });
  }

  /** One approval or operation that a page names and the lists did not hold. Throws ApiError. */
  async fetchApproval(id: string): Promise<void> {
    this.setApproval(await getJson<ApprovalView>(`/api/approvals/${encodeURIComponent(id)}`));
  }

  async fetchOperation(id: string): Promise<void> {
    this.setOperation(await getJson<OperationView>(`/api/operations/${encodeURIComponent(id)}`));
  }

  async #read<T>(name: string, path: string, take: (answer: T) => void): Promise<void> {
    try {
      take(await getJson<T>(path));
      this.loaded.add(name);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) this.session = null;
      else if (!(error instanceof ApiError && error.status === 0)) toasts.showError(error);
    }
    this.changed();
  }

  #setPaused({ paused, pausedBy }: { paused: boolean; pausedBy?: PausedBy | null }): void {
    if (this.session) this.session = { ...this.session, paused, pausedBy: pausedBy ?? null };
  }

  #merge<T extends { id: string }>(known: Map<string, T>, list: T[]): void {
    for (const item of list) if (!this.#touched.has(item.id)) known.set(item.id, item);
  }

  #setFleet(fleet: FleetStatus): void {
    learnServerTime(fleet.at);
    this.fleet = fleet;
    this.fleetReceivedAt = fleet.at;
    const signature = fleet.instances.map((one) => [one.name, one.epoch, one.state, one.revision].join()).join(";");
    if (signature === this.#fleetSignature) return;
    this.#fleetSignature = signature;
    void this.refreshDrift();
  }

  #addAudit(entry: AuditEntry): void {
    const others = this.audit.filter((known) => known.id !== entry.id);
    this.audit = [entry, ...others].toSorted((a, b) => b.at - a.at).slice(0, auditEntriesKept);
  }
}

export const store = new ConsoleStore();
