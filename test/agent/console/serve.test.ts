import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { libraryFiles } from "../../../agent/console/assets.ts";
import { consoleRoutes } from "../../../agent/console/serve.ts";

const pages = new URL("../../../agent/console/pages/", import.meta.url);

async function get(path: string, headers: { [name: string]: string } = {}): Promise<Response> {
  return consoleRoutes().request(path, { headers });
}

test("serves the page under a policy that admits its import map and no other inline script", async () => {
  const response = await get("/");
  const html = await response.text();
  const importMap = /<script type="importmap">([\s\S]*?)<\/script>/.exec(html)?.[1] ?? "";
  const hash = createHash("sha256").update(importMap).digest("base64");
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(response.headers.get("content-security-policy")).toBe(
    `default-src 'none'; script-src 'self' 'sha256-${hash}'; style-src 'self'; connect-src 'self'; ` +
      "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  );
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("referrer-policy")).toBe("no-referrer");
});

test("serves every page module as JavaScript without types, on the same lines", async () => {
  const modules = readdirSync(pages, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".ts"));
  expect(modules.length).toBeGreaterThan(20);
  for (const path of modules) {
    const response = await get(`/assets/console/${path}`);
    const text = await response.text();
    expect(response.headers.get("content-type"), path).toBe("text/javascript; charset=utf-8");
    expect(text.split("\n").length, path).toBe(readFileSync(new URL(path, pages), "utf8").split("\n").length);
    expect(text, path).not.toMatch(/^import type/m);
  }
});

test("every module that the pages import is served and asked for at once, and nothing else is", async () => {
  const queue = ["/assets/console/main.ts"];
  const seen = new Set(queue);
  const html = await (await get("/")).text();
  const { imports } = JSON.parse(/<script type="importmap">([\s\S]*?)<\/script>/.exec(html)?.[1] ?? "{}");
  const resolve = (specifier: string, from: string): string => {
    if (specifier.startsWith(".")) return new URL(specifier, `http://console${from}`).pathname;
    if (imports[specifier]) return imports[specifier];
    const prefix = Object.keys(imports).find((key) => key.endsWith("/") && specifier.startsWith(key)) ?? "";
    return imports[prefix] + specifier.slice(prefix.length);
  };
  for (const path of queue) {
    const response = await get(path);
    expect(response.status, path).toBe(200);
    for (const [, specifier = ""] of (await response.text()).matchAll(/(?:from|import)\s*"([^"]+)"/g)) {
      const next = resolve(specifier, path);
      if (!seen.has(next)) queue.push(next);
      seen.add(next);
    }
  }
  const listed = Object.entries(libraryFiles).flatMap(([name, files]) =>
    files.map((file) => `/assets/lib/${name}/${file}`),
  );
  expect([...seen].filter((path) => path.startsWith("/assets/lib/")).sort()).toEqual(listed.sort());
  const preloaded = [...html.matchAll(/<link rel="modulepreload" href="([^"]+)"/g)].map(([, address]) => address);
  expect(preloaded.sort()).toEqual([...seen].sort());
  expect(html.indexOf("modulepreload")).toBeGreaterThan(html.indexOf("importmap"));
});

test("answers 304 to the same strong entity tag and the body to another", async () => {
  const tag = (await get("/assets/console/styles/base.css")).headers.get("etag") ?? "";
  expect(tag).toMatch(/^"[\w-]+"$/);
  expect((await get("/assets/console/styles/base.css", { "If-None-Match": `"other", ${tag}` })).status).toBe(304);
  expect((await get("/assets/console/styles/base.css", { "If-None-Match": '"other"' })).status).toBe(200);
});

test.each([
  "/assets/console/../serve.ts",
  "/assets/console/..%2fserve.ts",
  "/assets/console/%2e%2e/serve.ts",
  "/assets/console/lib/..%2f..%2f..%2fconfig.ts",
  "/assets/console//etc/passwd",
  "/assets/console/lib",
  "/assets/console/lib/",
  "/assets/console/missing.ts",
  "/assets/console/index.html",
  "/assets/console/main.ts%00.css",
  "/assets/lib/lit/package.json",
  "/assets/lib/lit/../hono/package.json",
  "/assets/lib/lit%2f..%2fhono/package.json",
  "/assets/lib/hono/dist/index.js",
  "/assets/lib/lit-html/static.js",
  "/assets/lib/__proto__/x",
])("refuses %s", async (path) => {
  expect((await consoleRoutes().request(new Request(`http://console${path}`))).status).toBe(404);
});
