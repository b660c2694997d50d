/** What the code knows better than a writer, as Markdown: each generator reads the very objects that the program runs by. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command, Option } from "commander";
import { z } from "zod";
import { buildCommandLine } from "../agent/cli/command-line.ts";
import { commandTable } from "../agent/commands.ts";
import { configShape, type JsonSchema } from "../agent/config.ts";
import { slashCommandRows } from "../agent/gateway/channels/discord/commands/command-definitions.ts";
import type { Api } from "../agent/gateway/http/context.ts";
import { metrics } from "../agent/gateway/http/metrics.ts";
import type { RouteDescription } from "../agent/gateway/http/route.ts";
import { apiRoutes } from "../agent/gateway/http/routes.ts";
import { operations } from "../tools/operations.ts";
import { type Policy, parsePolicy } from "../tools/policy.ts";
import { readTools } from "../tools/read-tools.ts";
import { keptRows } from "./kept-table.ts";
import { stackOutputs, stackStatements, stackVariables } from "./stack-tables.ts";

export const generators: Readonly<Record<string, () => string>> = {
  configuration: configurationTable,
  commands: sentenceTable,
  "discord-commands": discordCommandTable,
  tools: toolTable,
  operations: operationTable,
  "tool-list": toolList,
  "command-line": commandLineReference,
  routes: () => routeTable(describeRoutes("tcp")),
  "control-routes": controlRouteTable,
  metrics: metricTable,
  "stack-variables": () => markdownTable(["Variable", "Default", "Meaning"], stackVariables()),
  "stack-outputs": () => markdownTable(["Output", "What it is"], stackOutputs()),
  kept: () => markdownTable(["What", "Where", "New in a day", "Kept"], keptRows()),
  "permissions-store": () => statementTable("instance_store"),
  "permissions-secrets": () => statementTable("instance_secrets", "named_secrets", "unnamed_secrets"),
  "permissions-images": () => statementTable("instance_images"),
  "permissions-fleet": () => statementTable("instance_fleet"),
  "permissions-memory": () => statementTable("instance_memory", "memory"),
  "permissions-sessions": () => statementTable("instance_sessions"),
  "permissions-vmimport": () => statementTable("vmimport"),
  "permissions-ci": () => statementTable("ci"),
};

/** One row for each key of the configuration: key, default, meaning. */
function configurationTable(): string {
  const rows: string[][] = [];
  const visit = (schema: JsonSchema, path: string): void => {
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      const key = path ? `${path}.${name}` : name;
      if (child.properties) visit(child, key);
      else rows.push([`\`${key}\``, defaultOf(child), meaningOf(child)]);
    }
  };
  visit(configShape().root, "");
  return markdownTable(["Key", "Default", "Meaning"], rows);
}

function defaultOf(schema: JsonSchema): string {
  return schema.default === undefined ? "–" : `\`${JSON.stringify(schema.default)}\``;
}

function meaningOf(schema: JsonSchema): string {
  const values = schema.enum?.map((value) => `\`${value}\``).join(", ");
  const meaning = schema.description ?? "";
  return values && !schema.enum?.every((value) => meaning.includes(String(value))) ? `${meaning}: ${values}` : meaning;
}

/** The interpreter's sentences; one whose operation this version lacks says so. */
function sentenceTable(): string {
  const known = new Set([...readTools, ...operations].map(({ name }) => name));
  const mark = (row: string): string => {
    const tool = /^\|.*\| `([a-z_]+)` \| (?:operation|read) \|/.exec(row)?.[1];
    if (!tool || known.has(tool)) return row;
    return row.replace(/[^|]*\|$/, " Understood, but this version has no such operation; the answer says so. |");
  };
  return commandTable().split("\n").map(mark).join("\n");
}

/** The slash commands; one whose operation this version lacks says so. */
function discordCommandTable(): string {
  const rows = slashCommandRows((operation) => operations.some(({ name }) => name === operation));
  return markdownTable(["Command", "What it does", "How", "Words"], rows);
}

/** One row for each tool and operation that the model is offered. */
function toolTable(): string {
  const rows = [...readTools, ...operations].map((tool) => [
    `\`${tool.name}\``,
    tool.kind === "read" ? "reads" : "proposes",
    tool.description,
  ]);
  return markdownTable(["Tool", "Kind", "What it does"], rows);
}

/** For the system prompt: a line for each tool, because every conversation pays for it. */
function toolList(): string {
  const line = ({ name, description }: { name: string; description: string }): string =>
    `- \`${name}\`: ${/^.*?[.](?= |$)/s.exec(description)?.[0] ?? description}`;
  return [
    "Reading tools run at once and change nothing outside memory:",
    readTools.map(line).join("\n"),
    "Operations are proposals; a maintainer decides on the plan:",
    operations.map(line).join("\n"),
  ].join("\n\n");
}

/** Operations with their input and what the policy of a new fleet says of them. */
function operationTable(): string {
  const path = join(import.meta.dirname, "..", "nix", "templates", "fleet", "policy.json");
  const policy = parsePolicy(readFileSync(path, "utf8"), "the template's policy.json");
  const rows = operations.map(({ name, description, input }) => [
    `\`${name}\``,
    description,
    describeInput(z.toJSONSchema(input, { io: "input", unrepresentable: "any" }) as InputSchema),
    describeRule(policy, name),
  ]);
  return markdownTable(["Operation", "What it does", "Input", "Policy of a new fleet"], rows);
}

type InputSchema = { properties?: Record<string, { description?: string }>; required?: string[] };

function describeInput({ properties = {}, required = [] }: InputSchema): string {
  const fields = Object.entries(properties).map(
    ([name, field]) => `\`${name}\`${required.includes(name) ? " (required)" : ""}: ${field.description ?? ""}`,
  );
  return fields.length === 0 ? "–" : fields.join("<br>");
}

function describeRule(policy: Policy, operation: string): string {
  const rule = policy.operations[operation];
  if (!rule) return "not named: the highest quorum";
  if (rule.mode !== "approve") return rule.mode;
  const alone =
    rule.quorumIfAlone && rule.quorumIfAlone < rule.quorum
      ? ` (${rule.quorumIfAlone} while there is one approver)`
      : "";
  return `approve ${rule.quorum}${alone}, within ${rule.expiresHours} h`;
}

/** A section for each command, from the same objects that parse it. */
function commandLineReference(): string {
  const program = buildCommandLine();
  const leaves = program.commands.flatMap((command) => (command.commands.length > 0 ? command.commands : [command]));
  const isCommon = (option: Option): boolean =>
    leaves.every((leaf) => leaf.options.some(({ flags }) => flags === option.flags));
  const common = leaves[0]?.options.filter(isCommon) ?? [];
  const sections = program.commands.map((command) =>
    command.commands.length === 0
      ? commandSection(command, isCommon)
      : [
          `### \`${program.name()} ${command.name()}\``,
          `${sentence(command.description())}`,
          ...command.commands.map((child) => commandSection(child, isCommon)),
        ].join("\n\n"),
  );
  return ["Every command takes:", optionTable(common), ...sections].join("\n\n");
}

function commandSection(command: Command, isCommon: (option: Option) => boolean): string {
  const names: string[] = [];
  for (let one: Command | null = command; one; one = one.parent) names.unshift(one.name());
  const own = command.options.filter((option) => !option.hidden && !isCommon(option));
  const hashes = "#".repeat(names.length + 1);
  const parameters = command.usage().replace("[options]", "").trim();
  return [
    `${hashes} \`${[...names, parameters].join(" ").trim()}\``,
    sentence(command.description()),
    ...(own.length > 0 ? [optionTable(own)] : []),
    `\`\`\`sh\n${exampleOf(command)}\n\`\`\``,
  ].join("\n\n");
}

/** The example as `--help` shows it. */
function exampleOf(command: Command): string {
  let help = "";
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  const example = help.split("\nExample:\n")[1]?.trim();
  if (!example) throw new Error(`the command ${command.name()} has no example in its help`);
  return example;
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map((option) => {
    const { flags, description, defaultValue, envVar, mandatory } = option;
    const value = mandatory ? "required" : defaultValue === undefined ? "–" : `\`${String(defaultValue)}\``;
    return [`\`${flags}\``, envVar && value === "–" ? `\`$${envVar}\`` : value, description];
  });
  return markdownTable(["Option", "Default", "Meaning"], rows);
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return first.endsWith(".") ? first : `${first}.`;
}

/**
 * The routes as they are defined. Defining them touches nothing of the gateway but which door it is; a handler that did
 * would fail here at once, since there is no gateway behind.
 */
function describeRoutes(surface: Api["surface"]): RouteDescription[] {
  const routes: RouteDescription[] = [];
  apiRoutes({ surface } as unknown as Api, (route) => routes.push(route));
  return routes;
}

function controlRouteTable(): string {
  const everywhere = new Set(describeRoutes("tcp").map(({ method, path }) => `${method} ${path}`));
  return routeTable(describeRoutes("control").filter(({ method, path }) => !everywhere.has(`${method} ${path}`)));
}

function routeTable(routes: RouteDescription[]): string {
  const rows = routes.map(({ method, path, isOpen, meaning }) => [
    `\`${method} ${path.replaceAll("{.+}", "")}\``,
    isOpen ? "anyone" : "a maintainer",
    meaning,
  ]);
  return markdownTable(["Route", "Who", "What it does"], rows);
}

function metricTable(): string {
  const rows = metrics.map(({ name, type, help }) => [`\`${name}\``, type, help]);
  return markdownTable(["Metric", "Type", "Meaning"], rows);
}

/** What policy documents of the stack allow, and why. */
function statementTable(...documents: string[]): string {
  return markdownTable(["Statement", "Actions", "Why"], documents.flatMap(stackStatements));
}

function markdownTable(head: string[], rows: string[][]): string {
  const line = (cells: string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
