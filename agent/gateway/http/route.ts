/** What a route is made of. */
import type { Context } from "hono";
import type { Environment } from "./context.ts";

export type Method = "GET" | "POST" | "PUT" | "DELETE";

export interface RouteDescription {
  method: Method;
  path: string;
  /** Needs no maintainer's token. */
  isOpen: boolean;
  meaning: string;
}

/** For the documentation; filled as the routes are defined. */
export type DescribeRoute = (route: RouteDescription) => void;

export type Handler = (context: Context<Environment>) => Promise<Response> | Response;

export type Guarded = (method: Method, path: string, meaning: string, handler: Handler) => void;
