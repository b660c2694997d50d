/** What a model costs here: the configuration's price, else the table's, else unknown. */
import type { Config } from "../../config.ts";
import { type KnownPrice, listPrice } from "../../model-prices.ts";
import type { ModelIdentity } from "../../protocol.ts";

/** `configured` and `list` are known, `assumed` stands in for one that is not; `unknown` cannot be counted as money. */
export type PriceSource = "configured" | "list" | "assumed" | "free" | "unknown";

export type PriceOf = (model: ModelIdentity) => { source: PriceSource; price: KnownPrice | null };

const free: KnownPrice = { input: 0, cacheRead: 0, cacheWrite: 0, output: 0, assumed: false };

/** The providers whose table of prices holds; whatever is said of them, they are never free. */
const paidHosts: { [host: string]: string } = { "api.anthropic.com": "anthropic", "api.openai.com": "openai" };

type ModelSettings = NonNullable<Config["models"]["personality"]>;

/** `environment`: an endpoint without a `baseUrl` is the one that `OPENAI_BASE_URL` names. */
export function makePriceOf(
  models: Config["models"],
  environment: { OPENAI_BASE_URL?: string | undefined } = {},
): PriceOf {
  const configured = [models.personality, models.coding, models.summaries, ...models.fallbacks].filter(
    (one) => one !== undefined,
  );
  return (identity) => {
    if (identity.provider === "interpreter") return { source: "free", price: free };
    const settings = configured.filter((one) => isMeant(one, identity));
    const provider = tableOf(identity.provider, settings[0]?.baseUrl ?? environment.OPENAI_BASE_URL);
    const given = settings.find((one) => one.price !== undefined)?.price;
    if (given) {
      const { input, output, cacheRead = input, cacheWrite = input } = given;
      const isZero = input + output + cacheRead + cacheWrite === 0;
      if (!isZero) return { source: "configured", price: { input, output, cacheRead, cacheWrite, assumed: false } };
      if (provider === null) return { source: "free", price: free };
    }
    const listed = provider === null ? null : listPrice(provider, identity.model);
    if (listed === null) return { source: "unknown", price: null };
    return { source: listed.assumed ? "assumed" : "list", price: listed };
  };
}

/** An endpoint may add a date to the name that it was asked for. */
function isMeant(settings: ModelSettings, { provider, model }: ModelIdentity): boolean {
  if (settings.provider !== provider) return false;
  return settings.model === undefined || model === settings.model || model.startsWith(`${settings.model}-`);
}

/** Which table of list prices holds; null for an endpoint that is somebody else's. */
function tableOf(provider: string, baseUrl: string | undefined): string | null {
  if (provider === "anthropic" || provider === "openai") return provider;
  if (baseUrl === undefined || !URL.canParse(baseUrl)) return null;
  const { hostname } = new URL(baseUrl);
  return Object.hasOwn(paidHosts, hostname) ? (paidHosts[hostname] ?? null) : null;
}
