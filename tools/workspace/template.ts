/** The program's own workspace: templates that are rendered into the workspace of each name. */
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const programWorkspace = fileURLToPath(new URL("../../workspace", import.meta.url));

/** What a template may ask for, as `{{name}}`; see docs/personality.md. */
export interface TemplateValues {
  /** Such as CLAWDINATOR-2. */
  name: string;
  /** Id of the instance that holds the name. */
  instance: string;
}

export const placeholders: Readonly<Record<string, (values: TemplateValues) => string>> = {
  name: ({ name }) => name,
  number: ({ name }) => /-([0-9]+)$/.exec(name)?.[1] ?? name,
  instance: ({ instance }) => instance,
};

/** A placeholder that nobody knows stays as it is. */
export function renderTemplate(text: string, values: TemplateValues): string {
  return text.replace(/\{\{([a-z]+)\}\}/g, (whole, key: string) =>
    Object.hasOwn(placeholders, key) ? (placeholders[key]?.(values) ?? whole) : whole,
  );
}

export interface Template {
  /** Below the workspace, with `/`. */
  path: string;
  /** As it is in the program. */
  source: string;
  /** With the values filled in. */
  text: string;
}

/** Pictures are shown from the program itself. */
const notSeeded = new Set(["pictures"]);

/** Every template of the program, sorted by path. */
export async function readTemplates(values: TemplateValues, directory = programWorkspace): Promise<Template[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)).split(sep))
    .filter((parts) => !notSeeded.has(parts[0] ?? "") && !parts.some((part) => part.startsWith(".")))
    .map((parts) => parts.join("/"))
    .sort();
  return Promise.all(
    paths.map(async (path) => {
      const source = await readFile(join(directory, path), "utf8");
      return { path, source, text: renderTemplate(source, values) };
    }),
  );
}
