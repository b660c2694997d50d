/** What people write about pictures, and how they write when it is no time for one. */

const thing = "(?:gifs?|pictures?|pics?)";
const longestRequest = 120;

/** A whole sentence that asks for a picture, such as "gif", "show me a gif", "gif landed". */
export function asksForPicture(text: string): boolean {
  return text.length <= longestRequest && pictureSwitchOf(text) !== "off" && request.test(text.trim());
}

const polite =
  "(?:(?:hey|hi|please|clawdinator(?:-\\d+)?|@[\\w-]+|<@!?\\d+>)[,:]? )*(?:(?:can|could|would) you )?(?:please )?";
const verb = "(?:show|send|post|give)(?: me| us)? ";
const which = "(?:an? |another |one more |some |your )";
const request = new RegExp(
  `^${polite}(?:(?:${verb})?${which}?gif\\b|${verb}${which}${thing}\\b|${thing},? please\\b)(?!.*\\b(?:is|are|was|were|has|file|upload)\\b)`,
  "i",
);

/** `off`: a person wants no pictures in this conversation; `on`: wants them again; null: said neither. */
export function pictureSwitchOf(text: string): "on" | "off" | null {
  if (unwanted.test(text)) return "off";
  return wanted.test(text) ? "on" : null;
}

const unwanted = new RegExp(
  `\\b(?:no|no more|stop(?: (?:it )?with| posting| sending)?(?: the| those| these)?|enough(?: of)?(?: the| those)?|without(?: the| any)?|(?:don't|do not|dont|never) (?:want|need|post|send|show)(?: me| us)?(?: any| more| the)?|(?:turn|switch) off(?: the)?) ${thing}\\b|\\b${thing} off\\b`,
  "i",
);
const wanted = new RegExp(
  `\\b(?:gifs|pictures|pics)(?:,)? (?:please|on|are (?:fine|ok|okay|back|welcome))\\b|\\bmore (?:gifs|pictures|pics)\\b|\\b(?:turn|switch) on(?: the)? ${thing}\\b`,
  "i",
);

const tense =
  /\b(?:incident|outage|breach|leak(?:ed)?|vulnerabilit(?:y|ies)|cve-\d|exploit|compromised|security|sev-?[0-3]|post-?mortem|rollback|roll back|data loss|not funny|annoy(?:ed|ing)|angry|furious|fed up|frustrat(?:ed|ing)|wtf|ffs|shut up|stop it|this is serious|prod(?:uction)? is down|everything is down)\b/i;

/** Somebody is annoyed, or speaks of an incident or of security. */
export function isTenseMoment(text: string): boolean {
  return tense.test(text);
}

const longestPraise = 160;
const praise =
  /^(?:(?:wow|ok|okay|great|nice|very|oh|and|hey|clawdinator[-0-9]*)[,!]? )*(?:thanks?(?: you)?|thank you|thx|ty|good (?:job|work|bot|one)|great (?:job|work|bot|one)|nice (?:job|work|one)|well done|lovely|awesome|amazing|brilliant|excellent|perfect|you rock|love it|kudos|bravo)\b/i;

/** Praise or thanks, and little else: a polite request is not praise. */
export function isPraise(text: string): boolean {
  const words = text.trim();
  return words.length <= longestPraise && !words.includes("?") && praise.test(words) && !/\bbut\b|\bnow\b/i.test(words);
}
