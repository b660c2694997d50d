/** Who answers, whether the page is live, and the switches that concern everything. */
import { html, type TemplateResult } from "lit";
import { shortRevision } from "../lib/format.ts";
import { type IconName, icon } from "../lib/icons.ts";
import { logOut, setPaused } from "../state/session.ts";
import { type Session, store } from "../state/store.ts";
import { toasts } from "../state/toasts.ts";

type Theme = "system" | "light" | "dark";
const themes: Theme[] = ["system", "light", "dark"];
const themeIcons: { [theme in Theme]: IconName } = { system: "system", light: "sun", dark: "moon" };

export function topBar(session: Session): TemplateResult {
  const theme = currentTheme();
  return html`
    <div class="identity">
      <span class="instance-name">${session.instance.name ?? session.instance.instance}</span>
      <span class="quiet mono only-wide" title="version ${session.instance.version}">${shortRevision(session.instance.revision)}</span>
      ${connection()}
    </div>
    <div class="topbar-actions">
      <button class="button button-quiet" aria-pressed=${session.paused} @click=${() => attempt(setPaused(!session.paused))}>
        ${icon(session.paused ? "resume" : "pause")}<span class="only-wide">${session.paused ? "Resume" : "Pause"}</span>
        <span class="sr-only only-narrow-text">${session.paused ? "Resume" : "Pause"}</span>
      </button>
      <button class="button button-quiet button-icon" title="Theme: ${theme}" aria-label="Theme: ${theme}. Change" @click=${nextTheme}>
        ${icon(themeIcons[theme])}
      </button>
      <button class="button button-quiet" title="Log out ${session.maintainer.name}" @click=${() => attempt(logOut())}>
        ${icon("leave")}<span class="only-wide">${session.maintainer.name}</span><span class="sr-only">: log out</span>
      </button>
    </div>
  `;
}

function connection(): TemplateResult {
  const words = { connecting: "connecting…", live: "live", reconnecting: "reconnecting…" }[store.connection];
  return html`<span class="connection connection-${store.connection}" role="status"><i class="dot"></i><span class="connection-word">${words}</span></span>`;
}

function currentTheme(): Theme {
  return themes.find((theme) => theme === document.documentElement.dataset.theme) ?? "system";
}

function nextTheme(): void {
  const theme = themes[(themes.indexOf(currentTheme()) + 1) % themes.length] ?? "system";
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem("clawdinator.theme");
  } else {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem("clawdinator.theme", theme);
  }
  store.changed();
}

function attempt(work: Promise<void>): void {
  work.catch((error) => toasts.showError(error));
}
