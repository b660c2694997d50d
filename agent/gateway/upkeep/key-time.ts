/** When what a key names came to be, as far as the key itself tells it. */

/** Discord counts its ids from here: the upper 42 bits are milliseconds since 2015. */
const discordEpochMs = 1_420_070_400_000;

/** Milliseconds since 1970; null when only the value may know. Discord's ids and a schedule's runs carry their time. */
export function timeOfKey(key: string): number | null {
  const name = key.slice(key.lastIndexOf("/") + 1);
  const snowflake = /^([0-9]{17,20})(?![0-9])/.exec(name)?.[1];
  if (snowflake !== undefined) return Number(BigInt(snowflake) >> 22n) + discordEpochMs;
  const [, year, month, day, hour, minute, second] =
    /^cron-.*-([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z/.exec(name) ?? [];
  if (year === undefined) return null;
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  return Number.isNaN(at) ? null : at;
}
