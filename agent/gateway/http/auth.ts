/** The one author check: every route but the public ones passes through here. */
import type { Context, MiddlewareHandler } from "hono";
import { getCookie } from "hono/cookie";
import type { Actor, Maintainer, Maintainers } from "../maintainers.ts";
import type { Api, Environment } from "./context.ts";
import { HttpProblem } from "./problem.ts";

export const sessionCookie = "clawdinator_session";

/** Names that always mean this machine. */
const loopbackHosts = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * Refuses requests for another host (a page elsewhere that rebinds its name to this address) and requests that a page
 * of another origin caused.
 */
export function checkHostAndOrigin(allowedHosts: readonly string[]): MiddlewareHandler {
  const allowed = new Set([...loopbackHosts, ...allowedHosts.map((host) => host.toLowerCase())]);
  const isAllowed = (hostname: string): boolean => allowed.has(hostname);
  return async (context, next) => {
    const host = context.req.header("host") ?? "";
    if (!isAllowed(hostnameOf(host))) {
      throw new HttpProblem(
        421,
        "wrong_host",
        `this is not ${host || "(no host)"}`,
        "use 127.0.0.1 or localhost, or add the name to gateway.allowedHosts",
      );
    }
    const origin = context.req.header("origin");
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
      throw new HttpProblem(
        403,
        "wrong_origin",
        `a page of ${origin} may not use this console`,
        "open the console itself",
      );
    }
    if (context.req.header("sec-fetch-site") === "cross-site" && context.req.method !== "GET") {
      throw new HttpProblem(
        403,
        "wrong_origin",
        "a page elsewhere may not use this console",
        "open the console itself",
      );
    }
    await next();
  };
}

function hostnameOf(host: string): string {
  return host.replace(/:[0-9]+$/, "").toLowerCase();
}

/** Who this is: by a token of their own, or by the session cookie that a login with it gave. */
export function requireMaintainer(api: Api): MiddlewareHandler<Environment> {
  return async (context, next) => {
    const actor = await identify(context, api);
    if (!actor) {
      throw new HttpProblem(
        401,
        "not_logged_in",
        "no valid token",
        "`clawdinator maintainers login` prints a login link; programs send `Authorization: Bearer TOKEN`",
      );
    }
    context.set("actor", actor);
    await next();
  };
}

async function identify(context: Context, { maintainers, surface }: Api): Promise<Actor | null> {
  const bearer = /^Bearer (\S+)$/.exec(context.req.header("authorization") ?? "")?.[1];
  if (bearer) {
    const maintainer = await maintainers.authenticate(bearer);
    if (!maintainer) return null;
    const as = context.req.header("x-clawdinator-as");
    if (as !== undefined) return identifyAs({ id: as, by: maintainer, maintainers, surface });
    return { maintainer, surface: "cli", asLocal: false, by: maintainer };
  }
  const session = surface === "tcp" ? getCookie(context, sessionCookie) : undefined;
  const maintainer = session ? await maintainers.readSession(session) : null;
  return maintainer ? { maintainer, surface: "console", asLocal: false, by: maintainer } : null;
}

/** `--as`: someone with access to this machine's control socket speaks for another maintainer. */
async function identifyAs(options: {
  id: string;
  by: Maintainer;
  maintainers: Maintainers;
  surface: Api["surface"];
}): Promise<Actor> {
  const { id, by, maintainers, surface } = options;
  if (surface !== "control") {
    throw new HttpProblem(403, "as_is_local", "--as works on this machine only", "use that maintainer's own token");
  }
  const maintainer = await maintainers.get(id);
  if (!maintainer) {
    throw new HttpProblem(
      404,
      "unknown_maintainer",
      `there is no maintainer ${id}`,
      "`clawdinator maintainers list` shows them",
    );
  }
  return { maintainer, surface: "cli", asLocal: true, by };
}
