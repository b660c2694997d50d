/**
 * What may be spent on models, and what was: the mind asks before each request and tells its end. Allowed requests are
 * answered from memory; only a refusal, and what comes close to a limit, waits for the store.
 */
import type { CostBreaker } from "../../../tools/cost-report.ts";
import { describeError } from "../../../tools/errors.ts";
import { type Budgets, budgetsOf } from "../../../tools/policy.ts";
import { isFree, usageUsd } from "../../model-prices.ts";
import type { SpendBegin, SpendBeginAnswer, SpendEnd } from "../../protocol.ts";
import { createBreaker } from "./breaker.ts";
import { chargedUsd, type DayRecord, dayEnd, type Entry, openUsd, runOf } from "./day-record.ts";
import { createFleetDays } from "./fleet-days.ts";
import { createLedger } from "./ledger.ts";
import { conflict, judge, mostOpen, type Refusal, refusalByBreaker, type Situation, tooMany } from "./limits.ts";
import { createProgress } from "./progress.ts";
import { countUsage, emptyTotals } from "./totals.ts";
import { createTrips } from "./trips.ts";
import { conversationOf, jobOf, type RunAbout, type Spend, type SpendOptions } from "./types.ts";

/** How long the policy and the breaker as last read may be relied on; a refusal asks again. */
const relyMs = { cheap: 2_000, costly: 15_000 };

export function createSpend(options: SpendOptions): Spend {
  const { store, audit, instance, name, log, priceOf } = options;
  const ledger = createLedger(options);
  const breaker = createBreaker(store);
  const fleet = createFleetDays(store, instance);
  const progress = createProgress();
  const totals = emptyTotals();
  const kind = store.listing ?? "cheap";
  let loaded: Promise<void> | null = null;
  let pid = 0;
  let rules: { budgets: Budgets; digest: string } | null = null;
  let rulesAt = Number.NEGATIVE_INFINITY;
  let readingRules: Promise<void> | null = null;

  const trips = createTrips({
    ...options,
    ledger,
    breaker,
    usdWithoutProgress: () => rules?.budgets.usdWithoutProgress,
  });

  const load = (): Promise<void> => {
    loaded ??= ledger.load().catch((error: unknown) => {
      loaded = null;
      throw error;
    });
    return loaded;
  };

  /** The policy and the breaker, as they are now. */
  function readRules(): Promise<void> {
    readingRules ??= (async () => {
      const [{ policy, digest }] = await Promise.all([options.policy(), breaker.read()]);
      rules = { budgets: budgetsOf(policy), digest };
      rulesAt = performance.now();
    })().finally(() => {
      readingRules = null;
    });
    return readingRules;
  }

  async function keepRules(): Promise<{ budgets: Budgets; digest: string }> {
    const isOld = performance.now() - rulesAt > relyMs[kind];
    if (rules === null) await readRules();
    else if (isOld && !readingRules)
      void readRules().catch((error: unknown) => warn("the policy cannot be read", error));
    takeReset();
    if (rules === null) throw new Error("no policy is in force");
    return rules;
  }

  /** What was counted before a reset no longer counts. */
  function takeReset(): void {
    const { resetAt } = breaker.state();
    const day = ledger.today();
    if (resetAt <= day.resetAt) return;
    day.resetAt = resetAt;
    day.inARow = { answers: 0, usd: 0 };
    day.refusals = [];
    for (const run of day.runs) run.idleUsd = 0;
    ledger.changed();
  }

  const warn = (what: string, error: unknown): void => log("warn", what, { error: describeError(error).message });

  const entryOf = ({ model, purpose }: Pick<SpendBegin, "model" | "purpose">, about: RunAbout | null): Entry => {
    const { provider, model: modelName } = model;
    const author = about?.author ?? { kind: "instance" as const, id: instance, name };
    const person = { kind: author.kind, id: author.id, name: author.name };
    return {
      provider,
      model: modelName,
      purpose,
      person,
      conversation: conversationOf(about),
      price: priceOf(model).source,
    };
  };

  /** How things stand for a request, itself left out. */
  function situationOf(request: SpendBegin, about: RunAbout | null, budgets: Budgets): Situation {
    const day = ledger.today();
    const { price } = priceOf(request.model);
    const { estimate } = request;
    const others = day.open.filter((open) => open.request !== request.request);
    const reserved = (mine: (open: { message: string | null }) => boolean): number =>
      others.filter(mine).reduce((sum, open) => sum + open.usd, 0);
    const run = about ? day.runs.find(({ message }) => message === about.message) : undefined;
    const openOfRun = about ? reserved(({ message }) => message === about.message) : 0;
    return {
      budgets,
      isPriced: price !== null,
      isMaintainers: about?.author.kind === "maintainer",
      isProof: request.purpose === "proof" && about === null,
      estimateUsd: price ? usageUsd(price, estimate) : 0,
      certainUsd: price ? usageUsd(price, { ...estimate, outputTokens: 0 }) : 0,
      fleetUsd: chargedUsd(day) + reserved(() => true) + fleet.others(day.day).usd,
      proofUsd:
        day.lines.filter(({ purpose }) => purpose === "proof").reduce((sum, line) => sum + line.usd, 0) +
        others.filter(({ purpose }) => purpose === "proof").reduce((sum, open) => sum + open.usd, 0),
      run: about
        ? {
            usd: (run?.usd ?? 0) + openOfRun + fleet.othersRunUsd(day.day, about.message),
            idleUsd: run?.idleUsd ?? 0,
          }
        : null,
      now: ledger.now(),
      until: dayEnd(day.day),
    };
  }

  /** Why this must not be made, by all that is in memory. */
  function refusalOf(request: SpendBegin, about: RunAbout | null): Refusal | null {
    if (rules === null) return null;
    const day = ledger.today();
    const subjects: { scope: CostBreaker["scope"]; subject: string }[] = [{ scope: "instance", subject: instance }];
    if (about) subjects.push({ scope: "answer", subject: about.message });
    if (about && about.author.kind !== "maintainer") subjects.push({ scope: "job", subject: jobOf(about) });
    const open = breaker.find(subjects, ledger.now());
    if (open) return refusalByBreaker(open);
    const before = day.refusals.find((one) => one.message === (about?.message ?? instance));
    if (about && before && before.policy === rules.digest && (before.until === null || before.until > ledger.now())) {
      return { code: before.code, message: before.text, hint: before.hint, until: before.until };
    }
    return judge(situationOf(request, about, rules.budgets));
  }

  /**
   * Whether others may meanwhile have what this request wants. From memory an instance spends at most its share of what
   * was left when it last read the others; beyond that, and for its first request of a day, it writes and reads first.
   */
  function needsConfirmation(budgets: Budgets, usd: number): boolean {
    const day = ledger.today();
    const { usd: othersUsd, instances, ownUsd } = fleet.others(day.day);
    const leftUsd = budgets.usdPerDay - budgets.reserveUsd - othersUsd - ownUsd;
    const sinceUsd = chargedUsd(day) + openUsd(day) - ownUsd;
    return ledger.isBroken() || !ledger.isStored() || sinceUsd + usd > leftUsd / (2 * (instances + 1));
  }

  async function refuse(request: SpendBegin, about: RunAbout | null, refusal: Refusal): Promise<SpendBeginAnswer> {
    totals.refusals.set(refusal.code, (totals.refusals.get(refusal.code) ?? 0) + 1);
    const day = ledger.today();
    const message = about?.message ?? instance;
    const isKnown = day.refusals.some((one) => one.message === message && one.code === refusal.code);
    if (!isKnown) {
      const { code, message: text, hint, until } = refusal;
      const policy = rules?.digest ?? "";
      day.refusals.push({ message, code, text, hint, until, at: ledger.now(), policy });
      day.refused[code] = (day.refused[code] ?? 0) + 1;
      ledger.changed();
      // It holds over a restart: what was refused once is not tried again by the next process either.
      if (refusal.opensBreaker && about)
        await trips.openBreaker(refusal, about).catch((error: unknown) => warn("the breaker cannot be stored", error));
      await ledger.flush().catch(() => {});
      log("warn", "spend.refused", { code, run: request.run ?? "", reason: text });
    }
    const { code, message: text, hint, until } = refusal;
    return { status: "refused", code, message: text, hint, until };
  }

  function reserve(request: SpendBegin, about: RunAbout | null, usd: number): void {
    const day = ledger.today();
    const message = about?.message ?? null;
    const at = ledger.now();
    day.open.push({
      ...entryOf(request, about),
      request: request.request,
      message,
      pid,
      at,
      estimate: request.estimate,
      usd,
    });
    if (about) {
      const run = runOf(
        day,
        { message: about.message, conversationId: about.conversation, person: personOf(about) },
        at,
      );
      run.conversationId = about.conversation;
      run.outcome = null;
    }
    ledger.changed();
  }

  function release(request: string): void {
    const day = ledger.today();
    day.open = day.open.filter((open) => open.request !== request);
    ledger.changed();
  }

  async function begin(request: SpendBegin, about: RunAbout | null): Promise<SpendBeginAnswer | null> {
    if (request.run !== null && about === null) return null;
    await load();
    const day = ledger.today();
    const known = day.open.find((open) => open.request === request.request);
    if (known) return known.message === (about?.message ?? null) ? { status: "allowed" } : conflict(request.request);
    if (ledger.costOf(request.request) !== null) return conflict(request.request);
    const { price } = priceOf(request.model);
    const usd = price ? usageUsd(price, request.estimate) : 0;
    if (price && isFree(price)) {
      reserve(request, about, 0);
      return { status: "allowed" };
    }
    const { budgets } = await keepRules();
    await fleet.keepFresh(day.day, ownUsd);
    if (day.open.length >= mostOpen) return tooMany();
    let refusal = refusalOf(request, about);
    if (refusal) {
      // By what was remembered; a policy, a reset or a sibling's charge may be newer than that.
      if (performance.now() - rulesAt > relyMs[kind] / 2) await readRules();
      takeReset();
      refusal = refusalOf(request, about);
      if (refusal) return refuse(request, about, refusal);
    }
    // Reserved before anything is awaited, so that requests that come together cannot all have what is left.
    const isUnsure = needsConfirmation(budgets, usd);
    reserve(request, about, usd);
    if (isUnsure) {
      const late = await confirm(request, about);
      if (late) return late;
    }
    return { status: "allowed" };
  }

  const ownUsd = (): number => chargedUsd(ledger.today()) + openUsd(ledger.today());
  const readOthers = (): Promise<void> => fleet.read(ledger.today().day, ownUsd);

  /** Write first, then read the others: of two instances that want the last dollar, at least one sees the other. */
  async function confirm(request: SpendBegin, about: RunAbout | null): Promise<SpendBeginAnswer | null> {
    try {
      await ledger.flush();
      await readOthers();
    } catch (error) {
      release(request.request);
      const { message } = describeError(error);
      return {
        status: "refused",
        code: "budget_ledger",
        message: `the ledger cannot be written (${message}), and nothing is spent that is not written down`,
        hint: "mend the store (`clawdinator doctor`), then ask again",
        until: null,
      };
    }
    const refusal = refusalOf(request, about);
    if (!refusal) return null;
    release(request.request);
    return refuse(request, about, refusal);
  }

  async function end({ request, usage, begun }: SpendEnd, about: RunAbout | null = null): Promise<number | null> {
    await load();
    const open = ledger.today().open.find((one) => one.request === request);
    if (!open && ledger.costOf(request) === null && begun && usage) {
      // It was allowed by a process that died before it could write that down.
      const { price } = priceOf(begun.model);
      reserve({ ...begun, request }, about, price ? usageUsd(price, begun.estimate) : 0);
      return end({ request, usage }, about);
    }
    if (!open) return ledger.costOf(request);
    const { price } = priceOf({ provider: open.provider, model: open.model });
    const usd = price && usage ? usageUsd(price, usage) : 0;
    const settled = ledger.settle(request, { usage, usd });
    if (usage) countUsage(totals, { model: open, purpose: open.purpose }, { usage, usd });
    return settled;
  }

  return {
    load,
    begin: async (request, about) => {
      try {
        return await begin(request, about);
      } catch (error) {
        const { message, hint } = describeError(error);
        warn("a request was refused because its budget is not known", error);
        return {
          status: "refused",
          code: "budget_ledger",
          message: `what may be spent is not known (${message}), so nothing is`,
          hint,
          until: null,
        };
      }
    },
    end,

    onMind(newPid) {
      pid = newPid;
      void load()
        .then(() => ledger.chargeForgotten((open) => open.pid !== newPid))
        .catch((error: unknown) => warn("the ledger cannot be read", error));
    },

    onEvent({ message }, event) {
      if (event.type === "done") {
        progress.forget(message);
        if (loaded) void loaded.then(() => trips.onDone(message, event.reason)).catch(() => {});
        return;
      }
      if (!progress.isProgress(message, event)) return;
      // Before anything was spent there is nothing to set back.
      const run = loaded ? ledger.today().runs.find((one) => one.message === message) : undefined;
      if (!run || run.idleUsd === 0) return;
      run.idleUsd = 0;
      ledger.changed();
    },

    async reset(by, surface) {
      await load();
      const closed = await breaker.reset(by.id, ledger.now());
      const told = closed.map(({ label, reason }) => `${label}: ${reason}`).join("; ");
      const actor = `maintainer:${by.id}`;
      const detail = told || "nothing was open";
      await audit.write({ action: "spend.breaker.reset", actor, surface, subject: "spend/breaker", detail });
      takeReset();
      await ledger.flush();
      return closed;
    },

    totals: () => totals,
    state: () => ({ ledger, breaker, fleet }),
    stop: () => (loaded ? ledger.stop() : Promise.resolve()),
  };
}

function personOf({ author: { kind, id, name } }: RunAbout): DayRecord["runs"][number]["person"] {
  return { kind, id, name };
}
