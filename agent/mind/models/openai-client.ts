/** The OpenAI SDK's client, as both of its interfaces use it. Loaded on first use. */
import type OpenAI from "openai";
import { requestTimeoutMs } from "./attempt.ts";

export const publicOpenAiEndpoint = "https://api.openai.com/v1";

export async function openAiClient(baseUrl: string, key: string | null): Promise<OpenAI> {
  const { default: Client } = await import("openai");
  return new Client({
    baseURL: baseUrl,
    apiKey: key ?? "none",
    // A local server needs no key, and some refuse a header that is not theirs.
    ...(key === null ? { defaultHeaders: { Authorization: null } } : {}),
    maxRetries: 0,
    timeout: requestTimeoutMs,
    logLevel: "off",
  });
}
