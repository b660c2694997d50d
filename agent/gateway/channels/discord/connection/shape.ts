/** Tests of what comes from Discord: its types are promises, and only what was looked at may be relied on. */

export type Fields = Record<string, unknown>;
export type Test = (value: unknown) => boolean;

export const isText: Test = (value) => typeof value === "string";
export const isNumber: Test = (value) => typeof value === "number";
export const isFlag: Test = (value) => typeof value === "boolean";

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A snowflake as text. */
export function isId(value: unknown): value is string {
  return typeof value === "string" && /^[0-9]{1,20}$/.test(value);
}

export function absentOr(test: Test): Test {
  return (value) => value === undefined || value === null || test(value);
}

export function listOf(test: Test): Test {
  return (value) => Array.isArray(value) && value.every(test);
}

/** Fields that are not named may be anything. */
export function fieldsOf(tests: Record<string, Test>): Test {
  return (value) => {
    if (!isFields(value)) return false;
    for (const name in tests) if (!tests[name]?.(value[name])) return false;
    return true;
  };
}

export const isUser = fieldsOf({
  id: isId,
  username: isText,
  global_name: absentOr(isText),
  bot: absentOr(isFlag),
});

/** Of a member what is read of it; where it is named in a message, its user stands around it. */
export const isMember = fieldsOf({ roles: absentOr(listOf(isId)), user: absentOr(isUser) });

/** A user as a message mentions them. */
export const isMentioned: Test = (value) => isUser(value) && absentOr(isMember)((value as Fields).member);
