/** How often the connection is looked at, and how long it waits before it is begun anew. */

export interface ConnectionPace {
  /** How often the token is looked at, and a lost connection. */
  lookMs: number;
  /** How often settings are compared with what the bot sees, besides at each change that Discord tells. */
  sightMs: number;
  firstRetryMs: number;
  longestRetryMs: number;
  /** A drop that is mended sooner is no failed check. */
  tolerableDropMs: number;
  /** A connection that has been lost for so long is begun anew. */
  longestDropMs: number;
  /** How often Discord is asked, without connecting, whether a missing intent is there now. */
  intentLookMs: number;
}

export const connectionPace: ConnectionPace = {
  lookMs: 2_000,
  sightMs: 60_000,
  firstRetryMs: 1_000,
  longestRetryMs: 60_000,
  tolerableDropMs: 15_000,
  longestDropMs: 120_000,
  intentLookMs: 30_000,
};

/** A session that lasted this long is a success: the next wait begins small again. */
export const successMs = 60_000;
