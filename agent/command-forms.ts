/**
 * The documented commands: one entry for each sentence form. A form matches a whole sentence or nothing, so a word too
 * many (a negation, a condition, a second target) means that it is not this command.
 */
import type { Json } from "../tools/json.ts";
import { isOccasion, occasions } from "../tools/picture-occasions.ts";

export type CommandInput = { [key: string]: Json | undefined };

export interface CommandForm {
  /** As documented: words to type, NAME, REVISION, TEXT and such, optional parts in brackets. */
  pattern: string;
  example: string;
  description: string;
  tool: string;
  /** `operation`: proposes a change. `read`: changes nothing outside memory. */
  kind: "operation" | "read";
  /** Words that make this form a likely answer to a sentence that matched nothing. */
  keywords: RegExp;
  /** Each matches a whole cleaned sentence. */
  sentences: RegExp[];
  /** Null when a matched part cannot be meant, such as a name where a revision belongs. */
  input(groups: { [name: string]: string | undefined }): CommandInput | null;
}

const name = "(?:(?:instance|sibling) )?(?<name>clawdinator-[1-9][0-9]{0,3})";
const revision = "(?:the )?(?:(?<kind>revision|commit|branch|tag|version) )?(?<revision>[^ ]{1,100})";
const newest = "(?<newest>(?:the )?(?:latest|newest)(?: (?:revision|commit|version|code))?|(?:the )?head)";

/** `[at|with|… REVISION]` */
function atRevision(words: string): string {
  return `(?: (?:${words}) (?:${newest}|${revision}))?`;
}

function sentence(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`, "i");
}

/** What a person writes where a revision belongs; undefined when nothing is given, null when it cannot be one. */
function revisionOf(groups: { [name: string]: string | undefined }): string | undefined | null {
  if (groups.newest !== undefined) return "HEAD";
  const text = groups.revision;
  if (text === undefined) return undefined;
  if (!/^[A-Za-z0-9][A-Za-z0-9._/~^-]*$/.test(text) || text.includes("..")) return null;
  if (/^clawdinator/i.test(text)) return null;
  if (/^[0-9a-f]{6,40}$/i.test(text) && /[0-9]/.test(text)) return text.toLowerCase();
  if (/^head(?:[~^][0-9]*)*$/i.test(text)) return `HEAD${text.slice(4)}`;
  // After "revision", "branch" and such any name is one; alone, only what can hardly be an ordinary word.
  const isNamed = groups.kind !== undefined && !/^(?:not?|none|nothing|something|that|this|it|which|if)$/i.test(text);
  if (isNamed) return /^[0-9a-f]{4,40}$/i.test(text) ? text.toLowerCase() : text;
  return /^(?:main|master|v[0-9]+(?:\.[0-9]+){1,2}|[A-Za-z0-9._-]+\/[A-Za-z0-9._/-]+)$/.test(text) ? text : null;
}

function withRevision(groups: { [name: string]: string | undefined }, rest: CommandInput = {}): CommandInput | null {
  const found = revisionOf(groups);
  if (found === null) return null;
  return found === undefined ? rest : { ...rest, revision: found };
}

function nameOf(groups: { [name: string]: string | undefined }): CommandInput {
  return groups.name === undefined ? {} : { name: groups.name.toUpperCase() };
}

function documentOf(text: string | undefined): string {
  const document = text ?? "";
  return document.endsWith(".md") ? document : `${document}.md`;
}

/** Days up to and with today. */
const period =
  "(?: (?:in |over |for |of )?(?<period>today|this week|this month|(?:the )?(?:last|past) (?:week|month)))?";

const documentName = "(?<document>[A-Za-z0-9][A-Za-z0-9._/-]*)";

export const commandForms: CommandForm[] = [
  {
    pattern: "spawn a sibling [at REVISION]",
    example: "spawn a sibling at main",
    description: "Proposes a new instance under the next free name; builds its image when there is none yet.",
    tool: "instance_launch",
    kind: "operation",
    keywords: /\b(?:spawn|launch|start|siblings?|instances?|new)\b/,
    sentences: [
      sentence(
        `(?:spawn|launch|start) (?:(?:an?|one|another)(?: new| more)? )?(?:sibling|instance)${atRevision("at|from|on|with")}`,
      ),
    ],
    input: (groups) => withRevision(groups),
  },
  {
    pattern: "spawn NAME [at REVISION]",
    example: "spawn CLAWDINATOR-3",
    description: "Proposes a new instance under that name.",
    tool: "instance_launch",
    kind: "operation",
    keywords: /\b(?:spawn|launch|start)\b/,
    sentences: [
      sentence(`(?:spawn|launch|start) ${name}${atRevision("at|from|on|with")}`),
      sentence(
        `(?:spawn|launch|start) (?:an? )?(?:new )?(?:sibling|instance) (?:named|called) ${name}${atRevision("at|from|on|with")}`,
      ),
    ],
    input: (groups) => withRevision(groups, nameOf(groups)),
  },
  {
    pattern: "replace NAME [with REVISION]",
    example: "replace CLAWDINATOR-2 with the latest",
    description: "Proposes a successor for an instance; the old one keeps the name until the new one proved itself.",
    tool: "instance_replace",
    kind: "operation",
    keywords: /\b(?:replace|upgrade|redeploy|restart|update)\b/,
    sentences: [sentence(`replace ${name}${atRevision("with|at|by|from|on")}`)],
    input: (groups) => withRevision(groups, nameOf(groups)),
  },
  {
    pattern: "retire NAME",
    example: "retire CLAWDINATOR-2",
    description: "Proposes to drain an instance, hand its work over and remove it.",
    tool: "instance_retire",
    kind: "operation",
    keywords: /\b(?:retire|remove|stop|delete|kill|terminate|destroy)\b/,
    sentences: [sentence(`retire ${name}`)],
    input: (groups) => nameOf(groups),
  },
  {
    pattern: "roll the fleet [to REVISION]",
    example: "roll the fleet to abc123",
    description: "Proposes to replace every instance, one after the other, the first one as a canary.",
    tool: "fleet_roll",
    kind: "operation",
    keywords: /\b(?:roll|rollout|everyone|all)\b/,
    sentences: [sentence(`roll (?:out )?the (?:whole )?fleet${atRevision("to|onto|at")}`)],
    input: (groups) => withRevision(groups),
  },
  {
    pattern: "build and import an image [of REVISION]",
    example: "build and import an image",
    description: "Proposes to make a revision launchable: builds its image where there is none, then registers it.",
    tool: "ami_import",
    kind: "operation",
    keywords: /\b(?:build|import|image|images|ami)\b/,
    sentences: [sentence(`build and import (?:an|the) (?:image|ami)${atRevision("of|from|at|for")}`)],
    input: (groups) => withRevision(groups),
  },
  {
    pattern: "build an image [of REVISION]",
    example: "build an image of abc123",
    description: "Builds the image of a revision; nothing is launched.",
    tool: "image_build",
    kind: "operation",
    keywords: /\b(?:build|image|images)\b/,
    sentences: [sentence(`build (?:an|the|a new) image${atRevision("of|from|at|for")}`)],
    input: (groups) => withRevision(groups),
  },
  {
    pattern: "import the image [of REVISION]",
    example: "import the image of abc123",
    description: "Proposes to register a built image so that instances can be launched from it.",
    tool: "ami_import",
    kind: "operation",
    keywords: /\b(?:import|image|images|ami)\b/,
    sentences: [sentence(`import (?:an|the) (?:image|ami)${atRevision("of|from|at|for")}`)],
    input: (groups) => withRevision(groups),
  },
  {
    pattern: "prune images [, keep NUMBER]",
    example: "prune images, keep 3",
    description: "Proposes to remove images that nothing runs, all but the newest ones.",
    tool: "image_prune",
    kind: "operation",
    keywords: /\b(?:prune|clean|cleanup|images)\b/,
    sentences: [
      sentence(
        "prune (?:the )?(?:old )?images(?:(?:,| and|, and)? keep(?:ing)? (?:the )?(?:last |newest )?(?<keep>[0-9]{1,3})(?: images)?)?",
      ),
    ],
    input: (groups) => (groups.keep === undefined ? {} : { keep: Number(groups.keep) }),
  },
  {
    pattern: "update [yourself]",
    example: "update yourself",
    description: "Proposes an update of the program that this instance runs.",
    tool: "self_update",
    kind: "operation",
    keywords: /\b(?:update|upgrade)\b/,
    sentences: [sentence("update(?: yourself)?"), sentence("self[- ]update")],
    input: () => ({}),
  },
  {
    pattern: "status",
    example: "how is the fleet?",
    description: "Shows every instance with its state, revision, image, epoch and checks.",
    tool: "fleet_status",
    kind: "read",
    keywords: /\b(?:status|fleet|health|healthy|alive|running|instances|siblings|who)\b/,
    sentences: [
      sentence("(?:show )?(?:me )?(?:the )?(?:fleet )?status(?: of the fleet)?"),
      sentence("what(?: is|'s) the (?:fleet )?status(?: of the fleet)?"),
      sentence("(?:show )?(?:me )?the fleet"),
      sentence("how(?: is|'s) the fleet(?: doing)?"),
      sentence("who(?: is|'s) (?:there|alive|running)"),
    ],
    input: () => ({}),
  },
  {
    pattern: "sitrep",
    example: "sitrep",
    description: "Says in a few lines what a person should act on, or that there is nothing.",
    tool: "sitrep",
    kind: "read",
    keywords: /\b(?:sitrep|report|situation|attention|news|waiting)\b/,
    sentences: [
      sentence("(?:give )?(?:me )?(?:a |the |your )?sitrep"),
      sentence("(?:is there )?anything (?:to do|for me|that needs me)"),
      sentence("what needs (?:me|a person|attention)"),
    ],
    input: () => ({}),
  },
  {
    pattern: "heartbeat [: TEXT]",
    example: "heartbeat",
    description: "What the hourly timer says: tells only what no heartbeat has told yet.",
    tool: "sitrep",
    kind: "read",
    keywords: /\bheartbeat\b/,
    sentences: [sentence("heartbeat(?:[:.] ?.*)?")],
    input: () => ({ news: true }),
  },
  {
    pattern: "what is scheduled?",
    example: "what is scheduled?",
    description: "Lists the scheduled jobs, when they come next and how they ended last.",
    tool: "sitrep",
    kind: "read",
    keywords: /\b(?:schedule|scheduled|jobs|cron|timer|planned)\b/,
    sentences: [
      sentence("what(?: is|'s) scheduled"),
      sentence("(?:show )?(?:me )?(?:the |your )?(?:schedule|scheduled jobs)"),
    ],
    input: () => ({ schedule: true }),
  },
  {
    pattern: "drift",
    example: "is there drift?",
    description: "Shows where the running fleet differs from the desired state.",
    tool: "fleet_drift",
    kind: "read",
    keywords: /\b(?:drift|desired|difference|differs)\b/,
    sentences: [
      sentence("(?:show )?(?:me )?(?:the )?(?:fleet )?drift"),
      sentence("(?:is there )?any drift"),
      sentence("is there drift"),
    ],
    input: () => ({}),
  },
  {
    pattern: "what did you cost [today|this week|this month]?",
    example: "what did you cost today?",
    description: "Tells what the models cost, and what is left of today's budget.",
    tool: "cost",
    kind: "read",
    keywords: /\b(?:costs?|money|budget|spen[dt]|expensive)\b/,
    sentences: [
      sentence(`what (?:do|did|have) you cost${period}`),
      sentence(`how much (?:do|did|have) you (?:cost|spent|spend)${period}`),
      sentence(`(?:show )?(?:me )?(?:the |your )?costs?${period}`),
      sentence("(?:show )?(?:me )?(?:the |your )?budget"),
      sentence("how much (?:of the )?budget is left"),
    ],
    input: ({ period }) => {
      const words = (period ?? "today").toLowerCase();
      if (words.includes("week")) return { days: 7, by: "day" };
      return words.includes("month") ? { days: 30, by: "day" } : {};
    },
  },
  {
    pattern: "who are you?",
    example: "who are you?",
    description: "Tells who answers.",
    tool: "identity",
    kind: "read",
    keywords: /\b(?:who are you|your name|yourself|introduce)\b/,
    sentences: [
      sentence("(?:who|what) are you"),
      sentence("who(?: is|['’]s) this"),
      sentence("what(?: is|['’]s) your name"),
      sentence("(?:introduce|describe) yourself"),
      sentence("tell me (?:something )?about yourself"),
    ],
    input: () => ({ about: "self" }),
  },
  {
    pattern: "what is your favourite band|album|song?",
    example: "what is your favourite band?",
    description: "Tells what it listens to.",
    tool: "identity",
    kind: "read",
    keywords: /\b(?:favou?rite|band|album|song|music|track|record|listen)\b/,
    sentences: [
      sentence("(?:what|which)(?: is|['’]s) your favou?rite (?:band|album|record|song|track|music)"),
      sentence("(?:what|which) (?:band|album|record|song|track|music) do you (?:like|love|listen to)(?: best| most)?"),
      sentence("what do you listen to"),
    ],
    input: () => ({ about: "music" }),
  },
  {
    pattern: "what do you believe?",
    example: "what is the project's philosophy?",
    description: "Tells what the project values, in short.",
    tool: "identity",
    kind: "read",
    keywords: /\b(?:believes?|philosophy|values?|principles|stands? for)\b/,
    sentences: [
      sentence("what do you (?:believe(?: in)?|value|stand for)"),
      sentence("what does (?:the|this) project (?:believe(?: in)?|value|stand for)"),
      sentence("what(?: is|['’]s) (?:the|your|this) (?:project(?:['’]?s)? )?philosophy(?: of (?:the|this) project)?"),
      sentence("what are (?:the|your|this) (?:project(?:['’]?s)? )?(?:values|principles|beliefs)"),
    ],
    input: () => ({ about: "beliefs" }),
  },
  {
    pattern: "version",
    example: "which version are you?",
    description: "Tells the version, revision and image that answer.",
    tool: "version",
    kind: "read",
    keywords: /\b(?:version|revision|commit)\b/,
    sentences: [
      sentence("(?:show )?(?:me )?(?:the |your )?version"),
      sentence("(?:which|what) version (?:are you|do you run|are you running|is this)"),
      sentence("what(?: is|'s) your version"),
    ],
    input: () => ({}),
  },
  {
    pattern: "remember that TEXT",
    example: "remember that images are pruned on Fridays",
    description: "Adds a dated line to `notes.md` in the shared memory.",
    tool: "memory_append",
    kind: "read",
    keywords: /\b(?:remember|note|memorize|save)\b/,
    sentences: [/^remember(?: that\b)?[:,]? (?<text>\S.*)$/i],
    input: ({ text = "" }) => ({ document: "notes.md", text, dated: true }),
  },
  {
    pattern: "search memory for TEXT",
    example: "search memory for pruning",
    description: "Finds documents of the shared memory; `recall TEXT` means the same.",
    tool: "memory_search",
    kind: "read",
    keywords: /\b(?:search|find|recall|memory|know)\b/,
    sentences: [
      /^search (?:the |your )?memory for (?<query>\S.*)$/i,
      /^recall (?<query>\S.*)$/i,
      /^what do you (?:know|remember) about (?<query>\S.*)$/i,
    ],
    input: ({ query = "" }) => ({ query }),
  },
  {
    pattern: "read memory DOCUMENT",
    example: "read memory ops.md",
    description: "Shows a document of the shared memory.",
    tool: "memory_read",
    kind: "read",
    keywords: /\b(?:read|show|open|memory|document)\b/,
    sentences: [sentence(`(?:read|show|open)(?: me)? (?:the )?memory (?:document )?${documentName}`)],
    input: ({ document }) => ({ document: documentOf(document) }),
  },
  {
    pattern: "history of DOCUMENT",
    example: "history of ops.md",
    description: "Shows who changed a document of the shared memory, newest first.",
    tool: "memory_history",
    kind: "read",
    keywords: /\b(?:history|changed|memory)\b/,
    sentences: [sentence(`(?:show )?(?:me )?(?:the )?(?:memory )?history of ${documentName}`)],
    input: ({ document }) => ({ document: documentOf(document) }),
  },
  {
    pattern: "gif [OCCASION]",
    example: "show me a gif",
    description: `Posts an animated picture; OCCASION is one of: ${occasions.join(", ")}.`,
    tool: "picture",
    kind: "read",
    keywords: /\b(?:gifs?|pictures?)\b/,
    sentences: [
      sentence(
        "(?:(?:show|send|post|give)(?: me| us)? )?(?:an? |another |one more |the )?gif(?: (?:of|for|about))?(?: (?:an? |the )?(?<occasion>[a-z]+(?:[- ][a-z]+){0,2}))?",
      ),
      sentence("(?:show|send|post|give)(?: me| us)? (?:a|another|one more) picture"),
    ],
    input({ occasion }) {
      const wanted = occasion?.toLowerCase().replaceAll(" ", "-");
      if (wanted === undefined || wanted === "please") return {};
      return isOccasion(wanted) ? { occasion: wanted } : null;
    },
  },
  {
    pattern: "gifs please / no gifs",
    example: "no gifs",
    description: "Turns animated pictures on or off in this conversation.",
    tool: "picture",
    kind: "read",
    keywords: /\b(?:gifs|pictures)\b/,
    sentences: [
      sentence("(?<off>no(?: more)?|stop(?: the)?|enough|without) (?:gifs|pictures)"),
      sentence("(?<off>(?:turn|switch) off)(?: the)? (?:gifs|pictures)"),
      sentence("(?:more )?(?:gifs|pictures)(?: on)?"),
      sentence("(?:turn|switch) on(?: the)? (?:gifs|pictures)"),
    ],
    input: ({ off }) => ({ wanted: off === undefined }),
  },
  {
    pattern: "what do you remember?",
    example: "what do you remember?",
    description: "Lists the documents of the shared memory.",
    tool: "memory_read",
    kind: "read",
    keywords: /\b(?:remember|memory|documents)\b/,
    sentences: [sentence("what do you (?:remember|know)"), sentence("(?:list|show) (?:the |your )?memory")],
    input: () => ({}),
  },
];
