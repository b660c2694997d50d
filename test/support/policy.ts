/** Policy documents of the stack as AWS would get them: references resolved with the values of one imagined account. */
import { type Block, blocksOf, type Stack } from "./tofu.ts";

export interface Statement {
  Sid: string;
  Effect: "Allow" | "Deny";
  Action: string[];
  Resource?: string[];
  Principal?: Record<string, string[]>;
  Condition?: Record<string, Record<string, string[]>>;
}
export interface PolicyDocument {
  Version: "2012-10-17";
  Statement: Statement[];
}

/** Values of expressions, by their source text; the document's own `each.key` among them. */
export type PolicyValues = Readonly<Record<string, string | string[]>>;

/** Throws where the document refers to something that has no value: nothing is guessed. */
export function renderPolicy(stack: Stack, name: string, values: PolicyValues): PolicyDocument {
  const block = stack.data.aws_iam_policy_document?.[name]?.[0];
  if (!block) throw new Error(`the stack has no policy document ${name}`);
  const resolve = createResolver(stack, values);
  return { Version: "2012-10-17", Statement: blocksOf(block, "statement").map((one) => renderStatement(one, resolve)) };
}

type Resolve = (value: unknown) => string[];

function renderStatement(block: Block, resolve: Resolve): Statement {
  const statement: Statement = {
    Sid: resolve(block.sid)[0] ?? "",
    Effect: block.effect === "Deny" ? "Deny" : "Allow",
    Action: resolve(block.actions),
  };
  if (block.resources !== undefined) statement.Resource = resolve(block.resources);
  const principals = blocksOf(block, "principals");
  if (principals.length > 0) {
    statement.Principal = Object.fromEntries(
      principals.map((one) => [one.type === "*" ? "AWS" : String(one.type), resolve(one.identifiers)]),
    );
  }
  const conditions = blocksOf(block, "condition");
  if (conditions.length > 0) {
    statement.Condition = {};
    for (const one of conditions) {
      const test = String(one.test);
      statement.Condition[test] = { ...statement.Condition[test], [String(one.variable)]: resolve(one.values) };
    }
  }
  return statement;
}

function createResolver(stack: Stack, values: PolicyValues): Resolve {
  const expression = (source: string): string[] => {
    const value = values[source];
    if (value !== undefined) return typeof value === "string" ? [value] : value;
    const local = /^local\.(\w+)$/.exec(source)?.[1];
    if (local !== undefined && local in stack.locals) return resolve(stack.locals[local]);
    throw new Error(`no value is known for \${${source}}`);
  };
  const text = (template: string): string[] => {
    const whole = /^\$\{([^{}]*)\}$/.exec(template)?.[1];
    if (whole !== undefined) return expression(whole);
    if (template.startsWith("${[")) throw new Error(`a value must be given for ${template}`);
    return [template.replaceAll(/\$\{([^{}]*)\}/g, (_, source: string) => expression(source).join(","))];
  };
  const resolve: Resolve = (value) => {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value.flatMap(resolve);
    return text(String(value));
  };
  return resolve;
}

/** As AWS counts it for the limits of policies: white space does not. */
export function policyCharacters(document: PolicyDocument): number {
  return JSON.stringify(document).replaceAll(/\s/g, "").length;
}
