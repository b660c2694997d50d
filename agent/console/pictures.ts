/** Serves the program's own pictures. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Context, Hono } from "hono";
import { pictures, picturesDirectory } from "../pictures/catalogue.ts";
import { firstFrame } from "../pictures/still.ts";

/** A picture keeps its address when it is drawn anew, so a browser asks again after a day. */
const cacheSeconds = 24 * 3600;

/**
 * `GET /pictures/<id>`, animated, and `GET /pictures/<id>/still`, its first frame. Only ids of the index are looked up,
 * so no path can leave the folder.
 */
export function pictureRoutes(): Hono {
  const routes = new Hono();
  routes.get("/pictures/:id", (context) => answer(context, context.req.param("id"), false));
  routes.get("/pictures/:id/still", (context) => answer(context, context.req.param("id"), true));
  return routes;
}

async function answer(context: Context, id: string, isStill: boolean): Promise<Response> {
  const picture = pictures().find((one) => one.id === id);
  if (!picture) return context.text("there is no such picture\n", 404, { "X-Content-Type-Options": "nosniff" });
  const etag = `"${picture.sha256.slice(0, 27)}${isStill ? "-still" : ""}"`;
  const headers = {
    ETag: etag,
    "Cache-Control": `public, max-age=${cacheSeconds}, immutable`,
    "X-Content-Type-Options": "nosniff",
  };
  const known = context.req.header("if-none-match")?.split(/\s*,\s*/) ?? [];
  if (known.includes(etag)) return context.body(null, 304, headers);
  const file = await readFile(join(picturesDirectory, picture.file));
  const body = (isStill ? firstFrame(file) : null) ?? file;
  return context.body(new Uint8Array(body), 200, { ...headers, "Content-Type": "image/webp" });
}
