/** What a route is made of. */
import type { Context } from "hono";
import type { Environment } from "./context.ts";

export interface RouteDescription {
  method: "GET" | "POST";
  path: string;
  /** Needs no maintainer's token. */
  isOpen: boolean;
  meaning: string;
}

/** For the documentation; filled as the routes are defined. */
export type DescribeRoute = (route: RouteDescription) => void;

export type Handler = (context: Context<Environment>) => Promise<Response> | Response;

export type Guarded = (method: "GET" | "POST", path: string, meaning: string, handler: Handler) => void;
