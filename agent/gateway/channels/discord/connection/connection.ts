/**
 * The bot's connection to Discord, open while this instance holds its name. Drops and invalid sessions are resumed by
 * discord.js; what it cannot mend ends the session, and a new client begins where the budget of IDENTIFYs allows it.
 */
import type { Client, RESTOptions } from "discord.js";
import { describeError } from "../../../../../tools/errors.ts";
import type { Check } from "../../../../../tools/fleet/model.ts";
import type { Store } from "../../../../../tools/store.ts";
import type { DiscordSettings } from "../../../../discord-settings.ts";
import type { Log } from "../../../../log.ts";
import type { Connection } from "../contract.ts";
import { visibleGuilds } from "../visible.ts";
import { claimBot, type Inspection, inspectToken, otherNameOf } from "./connection-bot.ts";
import { forgetPrivateChannels, restOptions } from "./connection-client.ts";
import { describeInspection } from "./connection-examine.ts";
import { type ConnectionPace, connectionPace, successMs } from "./connection-pace.ts";
import { createRequestGuard } from "./connection-requests.ts";
import { beginSession, type Session } from "./connection-session.ts";
import { type End, trouble } from "./connection-trouble.ts";
import { createIdentifyBudget, type IdentifyPace } from "./identify-budget.ts";
import { settingsProblems } from "./settings-check.ts";

export interface ConnectionOptions {
  settings: DiscordSettings;
  store: Store;
  /** CLAWDINATOR-n. */
  name: string;
  /** The token as it is now; null where there is none. */
  token(): Promise<string | null>;
  /** Whether this instance may act under its name: nothing is sent to Discord without it. */
  mayAct(): boolean;
  onCheck(check: Check): void;
  log: Log;
  pace?: Partial<ConnectionPace>;
  identifyPace?: IdentifyPace;
}

export function createConnection(options: ConnectionOptions): Connection {
  const { settings, store, name, log } = options;
  const pace = { ...connectionPace, ...options.pace };
  const budget = createIdentifyBudget({ store, name, ...(options.identifyPace ? { pace: options.identifyPace } : {}) });
  const attachments: ((client: Client) => void)[] = [];
  let isWanted = false;
  let loop: Promise<void> = Promise.resolve();
  let opened = Promise.withResolvers<void>();
  let stopping = new AbortController();
  let session: Session | null = null;
  let usedToken: string | null = null;
  let bot: Extract<Inspection, { kind: "accepted" }> | null = null;
  let problem: string | null = null;
  let settingsLines: string[] = [];
  let lastSight = 0;
  let endPause: () => void = () => {};

  const requests = createRequestGuard({
    send: async (url, init) => (await import("discord.js")).DefaultRestOptions.makeRequest(url, init),
    mayAct: () => isWanted && options.mayAct(),
    onTokenRefused: () => session?.end({ kind: "token", problem: trouble.refusedToken }),
  });

  const problems = (): string[] => {
    const blockedMs = requests.blockedMs();
    return [...(problem ? [problem] : []), ...(blockedMs > 0 ? [trouble.blocked(blockedMs)] : []), ...settingsLines];
  };

  const report = (ok: boolean, state: string): void => {
    const found = problems();
    const more = found.length > 0 ? `; warning: ${found.join(" · ")}` : "";
    options.onCheck({ name: "discord", ok, detail: `${state}${more}` });
  };

  const say = (next: string | null): void => {
    if (next !== problem && next !== null) log("warn", "discord", { problem: next });
    problem = next;
    if (next !== null) report(false, "not connected");
  };

  const look = (client: Client<true>): void => {
    lastSight = performance.now();
    const before = settingsLines.join("\n");
    settingsLines = settingsProblems(settings, {
      guilds: visibleGuilds(client),
      application: bot?.application ?? null,
    });
    if (settingsLines.join("\n") !== before) log("info", "discord settings", { problems: settingsLines });
    forgetPrivateChannels(client);
  };

  const reportReady = (client: Client<true>): void => {
    problem = null;
    const { size } = client.guilds.cache;
    report(
      requests.blockedMs() === 0,
      `connected as ${client.user.username} (${client.user.id}) to ${size} guild${size === 1 ? "" : "s"}`,
    );
  };

  async function ask(token: string, signal: AbortSignal): Promise<Inspection> {
    const { REST } = await import("discord.js");
    const rest = new REST(restOptions(settings, requests.ask)).setToken(token);
    try {
      return await inspectToken(rest, signal);
    } finally {
      rest.clearHandlerSweeper();
      rest.clearHashSweeper();
    }
  }

  /** What is wrong before a connection is worth its IDENTIFY; null when nothing is. */
  async function prepare(token: string, signal: AbortSignal): Promise<End | null> {
    const found = await ask(token, signal);
    if (found.kind === "refused") return { kind: "token", problem: trouble.refusedToken };
    if (found.kind === "unknown") return { kind: "again", waitMs: null, problem: trouble.unreachable(found.detail) };
    bot = found;
    if (!found.hasMessageContent)
      return { kind: "again", waitMs: pace.intentLookMs, problem: trouble.noMessageContent };
    const other = await claimBot({ store, name, bot: found.id });
    if (other !== null) {
      return { kind: "again", waitMs: pace.intentLookMs, problem: trouble.otherName(found.name, other, name) };
    }
    const waitMs = await budget.waitMs();
    return waitMs === 0 ? null : { kind: "again", waitMs, problem: trouble.waiting(await budget.count(), waitMs) };
  }

  async function connectOnce(signal: AbortSignal): Promise<{ end: End; lastedMs: number }> {
    const startedAt = performance.now();
    const ended = (end: End) => ({ end, lastedMs: performance.now() - startedAt });
    const token = await options.token();
    usedToken = token;
    if (token === null) return ended({ kind: "token", problem: trouble.noToken });
    const obstacle = await prepare(token, signal);
    if (obstacle || signal.aborted || !isWanted) return { end: obstacle ?? { kind: "closed" }, lastedMs: 0 };
    const current = await beginSession({
      settings,
      token,
      makeRequest: requests.makeRequest as RESTOptions["makeRequest"],
      takeIdentify: () => budget.take(),
      attach: (client) => {
        for (const attach of attachments) attach(client);
      },
      onReady(client) {
        look(client);
        reportReady(client);
        opened.resolve();
      },
      onSight: look,
      log,
    });
    session = current;
    if (signal.aborted) current.end({ kind: "closed" });
    try {
      return ended(await current.ended);
    } finally {
      session = null;
      settingsLines = [];
      await current.destroy();
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (isWanted && !signal.aborted) {
      const { end, lastedMs } = await connectOnce(signal).catch((error: unknown) => {
        const { message, hint } = describeError(error);
        return { end: { kind: "again" as const, waitMs: null, problem: `${message}; ${hint}` }, lastedMs: 0 };
      });
      if (end.kind === "closed" || signal.aborted) break;
      say(end.problem);
      opened.resolve();
      failures = lastedMs > successMs ? 0 : failures + 1;
      const grown = Math.min(pace.firstRetryMs * 2 ** Math.min(failures - 1, 20), pace.longestRetryMs);
      await pause(end.kind === "token" ? null : (end.waitMs ?? grown), signal);
    }
    opened.resolve();
  }

  /** Until the time is over, the token changed, or the end. Null is without end. */
  async function pause(ms: number | null, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    endPause = resolve;
    signal.addEventListener("abort", () => resolve(), { once: true });
    const timer = ms === null ? null : setTimeout(resolve, Math.min(ms, 2 ** 31 - 1));
    await promise;
    endPause = () => {};
    if (timer) clearTimeout(timer);
  }

  async function tick(): Promise<void> {
    const token = await options.token().catch(() => usedToken);
    if (token !== usedToken && isWanted) {
      log("info", "discord.token_changed", {});
      usedToken = token;
      session?.end({ kind: "again", waitMs: 0, problem: null });
      endPause();
    }
    const client = session?.client();
    const downMs = session?.downMs() ?? 0;
    if (downMs > pace.longestDropMs)
      session?.end({ kind: "again", waitMs: 0, problem: trouble.unreachable("the connection was lost for too long") });
    else if (downMs > pace.tolerableDropMs) say(trouble.lost);
    else if (client && downMs === 0) {
      if (performance.now() - lastSight > pace.sightMs) look(client);
      reportReady(client);
    }
  }

  let ticker: NodeJS.Timeout | null = null;
  let ticking: Promise<void> = Promise.resolve();

  return {
    client: () => session?.client() ?? null,
    self: () => bot?.id ?? null,
    application: () => bot?.application ?? session?.client()?.application.id ?? null,
    problems,

    nameOf(channel) {
      const found = session?.client()?.channels.cache.get(channel);
      // Whoever opens a thread chooses its name.
      return found && "name" in found && !found.isThread() ? found.name : null;
    },

    onClient(attach) {
      attachments.push(attach);
      const present = session?.raw();
      if (present) attach(present);
    },

    open() {
      if (isWanted) return opened.promise;
      isWanted = true;
      opened = Promise.withResolvers<void>();
      stopping = new AbortController();
      report(false, "connecting");
      const { signal } = stopping;
      loop = loop.then(() => run(signal));
      ticker = setInterval(() => {
        ticking = ticking
          .then(tick)
          .catch((error: unknown) => log("warn", "discord", { error: describeError(error).message }));
      }, pace.lookMs);
      return opened.promise;
    },

    async close() {
      if (ticker) clearInterval(ticker);
      ticker = null;
      stopping.abort();
      session?.end({ kind: "closed" });
      await loop;
      // Until now what was under way could still be sent.
      isWanted = false;
      problem = null;
      await ticking;
    },

    async prove() {
      const check = await examine().catch((error: unknown) => {
        const { message, hint } = describeError(error);
        return { ok: false, detail: `${message}; ${hint}` };
      });
      options.onCheck({ name: "discord", ...check });
    },
  };

  async function examine(): Promise<Omit<Check, "name">> {
    const token = await options.token();
    if (token === null) return { ok: false, detail: trouble.noToken };
    const found = await ask(token, AbortSignal.timeout(successMs));
    const seen = describeInspection(found);
    if (found.kind !== "accepted" || !seen.ok) return seen;
    const other = await otherNameOf({ store, name, bot: found.id });
    if (other !== null) return { ok: false, detail: trouble.otherName(found.name, other, name) };
    return seen;
  }
}
