/** Every provider that speaks to an endpoint, for tests that all of them must pass. */
import { anthropicProvider } from "./anthropic-server.ts";
import { responsesProvider } from "./responses-server.ts";
import { chatProvider } from "./wire-chat.ts";
import type { WiredProvider } from "./wire-server.ts";

export const wiredProviders: WiredProvider[] = [anthropicProvider, responsesProvider, chatProvider];
