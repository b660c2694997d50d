/** Serves the console's pages to a browser. No build step: TypeScript loses its types when it is asked for. */
import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import { type Asset, indexAsset, libraryAsset, pageAsset } from "./assets.ts";
import { pictureRoutes } from "./pictures.ts";

const indexFile = "index.html";

/**
 * `GET /`, `GET /assets/console/*` (the pages), `GET /assets/lib/*` (the UI library's files, by a fixed list) and
 * `GET /pictures/*`.
 * Anything else is left to other routes. Nothing is read before the first request.
 */
export function consoleRoutes(): Hono {
  const routes = new Hono();
  routes.get("/", async (context) => {
    const page = await indexAsset();
    return page
      ? answer(context, page, { "Content-Security-Policy": contentSecurityPolicy(page.body) })
      : notFound(context);
  });
  routes.get("/assets/console/:path{.+}", async (context) => {
    const path = context.req.param("path");
    const asset = path === indexFile ? null : await pageAsset(path);
    return asset ? answer(context, asset) : notFound(context);
  });
  routes.get("/assets/lib/:path{.+}", async (context) => {
    const asset = await libraryAsset(context.req.param("path"));
    return asset ? answer(context, asset) : notFound(context);
  });
  routes.route("/", pictureRoutes());
  return routes;
}

/** The import map is the one inline script; its hash admits exactly that text. */
function contentSecurityPolicy(html: string): string {
  const importMap = /<script type="importmap">([\s\S]*?)<\/script>/.exec(html)?.[1] ?? "";
  const hash = createHash("sha256").update(importMap).digest("base64");
  return [
    "default-src 'none'",
    `script-src 'self' 'sha256-${hash}'`,
    "style-src 'self'",
    "connect-src 'self'",
    "img-src 'self' data:",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join("; ");
}

function answer(context: Context, asset: Asset, headers: { [name: string]: string } = {}): Response {
  const all = {
    ...headers,
    ETag: asset.etag,
    // Always asked again, answered by 304: an update of the program must never meet half of the old pages.
    "Cache-Control": "no-cache",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
  };
  const known = context.req.header("if-none-match")?.split(/\s*,\s*/) ?? [];
  if (known.includes(asset.etag)) return context.body(null, 304, all);
  return context.body(asset.body, 200, { ...all, "Content-Type": asset.type });
}

function notFound(context: Context): Response {
  return context.text("there is no such file in the console\n", 404, { "X-Content-Type-Options": "nosniff" });
}
