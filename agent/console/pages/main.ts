/** Registers the console's elements and starts the session. */
import { ConsoleShell } from "./console-shell.ts";
import { ConfirmDialog } from "./parts/confirm-dialog.ts";
import { CopyText } from "./parts/copy-text.ts";
import { CostChart } from "./parts/cost-chart.ts";
import { DecisionDialog } from "./parts/decision-dialog.ts";
import { InstanceCard } from "./parts/instance-card.ts";
import { MemoryDocumentPage } from "./parts/memory-document.ts";
import { MemoryEditor } from "./parts/memory-editor.ts";
import { MemoryHistoryPage } from "./parts/memory-history.ts";
import { MemoryList } from "./parts/memory-list.ts";
import { MessageComposer } from "./parts/message-composer.ts";
import { OperationSteps } from "./parts/operation-steps.ts";
import { PlanCard } from "./parts/plan-card.ts";
import { RichText } from "./parts/rich-text.ts";
import { ToastList } from "./parts/toast-list.ts";
import { startSession } from "./state/session.ts";
import { ApprovalsView } from "./views/approvals-view.ts";
import { AuditView } from "./views/audit-view.ts";
import { ChatView } from "./views/chat-view.ts";
import { CostView } from "./views/cost-view.ts";
import { FleetView } from "./views/fleet-view.ts";
import { LoginView } from "./views/login-view.ts";
import { MemoryView } from "./views/memory-view.ts";
import { OperationsView } from "./views/operations-view.ts";
import { ScheduleView } from "./views/schedule-view.ts";

const elements: { [name: string]: CustomElementConstructor } = {
  "claw-confirm": ConfirmDialog,
  "claw-copy": CopyText,
  "claw-cost-chart": CostChart,
  "claw-decision": DecisionDialog,
  "claw-instance": InstanceCard,
  "claw-memory-document": MemoryDocumentPage,
  "claw-memory-editor": MemoryEditor,
  "claw-memory-history": MemoryHistoryPage,
  "claw-memory-list": MemoryList,
  "claw-composer": MessageComposer,
  "claw-steps": OperationSteps,
  "claw-plan": PlanCard,
  "claw-text": RichText,
  "claw-toasts": ToastList,
  "claw-approvals": ApprovalsView,
  "claw-audit": AuditView,
  "claw-chat": ChatView,
  "claw-cost": CostView,
  "claw-fleet": FleetView,
  "claw-login": LoginView,
  "claw-memory": MemoryView,
  "claw-operations": OperationsView,
  "claw-schedule": ScheduleView,
  "claw-console": ConsoleShell,
};
document.querySelector("claw-console")?.replaceChildren();
for (const [name, element] of Object.entries(elements)) customElements.define(name, element);
void startSession();
