/**
 * The stack in tofu/ as tables: variables, outputs, and what each role may do. Read from the text as `tofu fmt` lays it
 * out, so that writing the docs needs no parser; the suite reads the same files with one.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const directory = join(import.meta.dirname, "..", "tofu");

/** One row for each variable: name, default, meaning. */
export function stackVariables(): string[][] {
  return blocks(read("variables.tf"), /^variable "(\w+)" \{$/).map(({ labels: [name = ""], lines }) => [
    `\`${name}\``,
    `\`${attribute(lines, "default") ?? ""}\``,
    text(attribute(lines, "description")),
  ]);
}

/** One row for each output: name, meaning. */
export function stackOutputs(): string[][] {
  return blocks(read("outputs.tf"), /^output "(\w+)" \{$/).map(({ labels: [name = ""], lines }) => [
    `\`${name}\``,
    text(attribute(lines, "description")),
  ]);
}

/** One row for each statement of a policy document: name, actions, reason. */
export function stackStatements(document: string): string[][] {
  for (const file of readdirSync(directory).filter((name) => name.endsWith(".tf"))) {
    const found = blocks(read(file), /^data "aws_iam_policy_document" "(\w+)" \{$/).find(
      ({ labels }) => labels[0] === document,
    );
    if (found) return statements(found.lines);
  }
  throw new Error(`the stack has no policy document ${document}`);
}

function statements(lines: string[]): string[][] {
  return lines.flatMap((line, index) => {
    if (line !== "  statement {") return [];
    const end = lines.indexOf("  }", index);
    const own = lines.slice(index + 1, end).map((one) => one.slice(2));
    const actions =
      attributeLines(own, "actions")
        .join(" ")
        .match(/"[^"]+"/g) ?? [];
    const reason: string[] = [];
    for (let above = index - 1; lines[above]?.startsWith("  # "); above--) reason.unshift(lines[above]?.slice(4) ?? "");
    const name = text(attribute(own, "sid"));
    return [[name, actions.map((action) => `\`${action.slice(1, -1)}\``).join(" "), reason.join(" ")]];
  });
}

function read(file: string): string {
  return readFileSync(join(directory, file), "utf8");
}

/** Top-level blocks; they end with a brace in the first column. */
function blocks(source: string, opening: RegExp): { labels: string[]; lines: string[] }[] {
  const lines = source.split("\n");
  return lines.flatMap((line, index) => {
    const match = opening.exec(line);
    if (!match) return [];
    return [{ labels: match.slice(1), lines: lines.slice(index + 1, lines.indexOf("}", index)) }];
  });
}

function attribute(lines: string[], name: string): string | undefined {
  return attributeLines(lines, name).join(" ") || undefined;
}

/** The value's lines; a list may go over several. */
function attributeLines(lines: string[], name: string): string[] {
  const at = lines.findIndex((line) => line.startsWith(`  ${name} `));
  const first = lines[at]?.slice(lines[at].indexOf("=") + 1).trim();
  if (first === undefined) return [];
  if (first !== "[") return [first];
  return lines.slice(at + 1, lines.indexOf("  ]", at)).map((line) => line.trim());
}

/** A string without its quotes. */
function text(value: string | undefined): string {
  return value?.replace(/^"|"$/g, "") ?? "";
}
