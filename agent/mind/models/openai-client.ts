/** The OpenAI SDK's client, as both of its interfaces use it. Loaded on first use. */
import type OpenAI from "openai";
import { requestTimeoutMs } from "./attempt.ts";
import { httpFetch } from "./http-fetch.ts";

export const publicOpenAiEndpoint = "https://api.openai.com/v1";

/** A function that gives the client for a key: the same one until the key changes. */
export function openAiClients(baseUrl: string): (key: string | null) => Promise<OpenAI> {
  const fetch = httpFetch();
  let last: { key: string | null; client: OpenAI } | null = null;
  return async (key) => {
    if (last?.key === key) return last.client;
    const { default: Client } = await import("openai");
    const client = new Client({
      baseURL: baseUrl,
      apiKey: key ?? "none",
      // A local server needs no key, and some refuse a header that is not theirs.
      ...(key === null ? { defaultHeaders: { Authorization: null } } : {}),
      maxRetries: 0,
      timeout: requestTimeoutMs,
      logLevel: "off",
      fetch,
    });
    last = { key, client };
    return client;
  };
}
