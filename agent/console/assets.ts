/** Finds a browser's file, makes it runnable there, and remembers the result until the file changes. */
import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { findPackageJSON, stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Asset {
  type: string;
  body: string;
  /** Strong: a hash over `body`. */
  etag: string;
}

const pagesDirectory = fileURLToPath(new URL("./pages/", import.meta.url));

/** Only such names are looked up, so no path can leave the folder: no dots but the one of the ending, no `//`. */
const pagePath = /^(?:[a-z0-9-]+\/)*[a-z0-9-]+\.(ts|css|svg|html)$/;

const contentTypes: { [ending: string]: string } = {
  ts: "text/javascript; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  html: "text/html; charset=utf-8",
};

/** What the pages import of lit, and what those files import in turn. Nothing else of node_modules is served. */
export const libraryFiles: { [packageName: string]: readonly string[] } = {
  lit: ["index.js", "directives/repeat.js"],
  "lit-html": ["lit-html.js", "is-server.js", "directive.js", "directive-helpers.js", "directives/repeat.js"],
  "lit-element": ["lit-element.js"],
  "@lit/reactive-element": ["reactive-element.js", "css-tag.js"],
};

const cache = new Map<string, { stamp: string; asset: Asset }>();

/** A file of `pages/`, TypeScript without its types; null when there is no such file. */
export async function pageAsset(path: string): Promise<Asset | null> {
  const ending = pagePath.exec(path)?.[1];
  if (!ending) return null;
  return cached(join(pagesDirectory, path), ending);
}

/** A file on the list above, such as `lit-html/lit-html.js`; null for anything else. */
export async function libraryAsset(path: string): Promise<Asset | null> {
  for (const [packageName, files] of Object.entries(libraryFiles)) {
    const file = files.find((name) => `${packageName}/${name}` === path);
    const manifest = file && findPackageJSON(packageName, import.meta.url);
    if (file && manifest) return cached(join(dirname(manifest), file), "js");
  }
  return null;
}

/** The page that everything else is loaded from, with a hint for each module, so that none waits for its importer. */
export async function indexAsset(): Promise<Asset | null> {
  const page = await pageAsset("index.html");
  if (!page) return null;
  const links = (await moduleAddresses()).map((address) => `<link rel="modulepreload" href="${address}" />`);
  // After the import map: a browser takes none once it has begun to load modules.
  const body = page.body.replace('<script type="module"', (script) => [...links, script].join("\n    "));
  return { ...page, body, etag: etagOf(body) };
}

/** Every module that `main.ts` leads to: all of them but the classic script that sets the theme. */
async function moduleAddresses(): Promise<string[]> {
  const names = await readdir(pagesDirectory, { recursive: true });
  const pages = names
    .map((name) => name.replaceAll("\\", "/"))
    .filter((name) => name.endsWith(".ts") && name !== "theme.ts");
  const served = Object.entries(libraryFiles).flatMap(([name, files]) => files.map((file) => `${name}/${file}`));
  return [...served.map((file) => `/assets/lib/${file}`), ...pages.sort().map((page) => `/assets/console/${page}`)];
}

function etagOf(body: string): string {
  return `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`;
}

async function cached(file: string, ending: string): Promise<Asset | null> {
  const status = await stat(file).catch(() => null);
  if (!status?.isFile()) return null;
  const stamp = `${status.mtimeMs} ${status.size}`;
  const known = cache.get(file);
  if (known?.stamp === stamp) return known.asset;
  const text = await readFile(file, "utf8");
  const body = ending === "ts" ? stripTypeScriptTypes(text, { mode: "strip" }) : text;
  const asset = { type: contentTypes[ending] ?? "application/octet-stream", body, etag: etagOf(body) };
  cache.set(file, { stamp, asset });
  return asset;
}
