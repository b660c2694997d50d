/** Routes of Discord's REST interface that a bot of this kind uses; `Call` is one request that found its route. */
import { channelRoutes } from "./channel-routes.ts";
import type { Gateway } from "./gateway.ts";
import { guildRoutes } from "./guild-routes.ts";
import type { Interactions } from "./interactions.ts";
import type { Bucket } from "./limits.ts";
import type { Messages } from "./messages.ts";
import type { Upload } from "./request-body.ts";
import type { User, World } from "./world.ts";

export interface Call {
  /** The bot; for routes below `/webhooks` and `/interactions` the application that the token belongs to. */
  bot: User;
  path: Record<string, string>;
  query: URLSearchParams;
  json: unknown;
  files: Upload[];
}

export interface Route {
  method: string;
  /** With `:name` for each parameter. */
  path: string;
  bucket: Bucket;
  /** The token is in the path, there is no Authorization header, and the overall limit does not count it. */
  isByToken?: boolean;
  answer(call: Call): unknown;
}

export interface Parts {
  world: World;
  gateway: Gateway;
  messages: Messages;
  interactions: Interactions;
}

export function makeRoutes(parts: Parts): Route[] {
  return [...guildRoutes(parts), ...channelRoutes(parts), ...parts.interactions.routes];
}
