/** Configuration: schema, defaults and descriptions in one place. Read once at start; every problem is reported. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import { ConfigError } from "../tools/errors.ts";
import { awsSettingsSchema } from "../tools/fleet/aws/settings.ts";
import { instanceNameSchema } from "../tools/fleet/model.ts";

const seconds = z.number().positive().max(86_400);

const modelSchema = z
  .strictObject({
    provider: z
      .enum(["interpreter", "anthropic", "openai", "openai-compatible"])
      .describe(
        "`anthropic`: Claude; `openai`: GPT by the Responses interface; `openai-compatible`: any chat endpoint; `interpreter` understands documented commands without a key",
      ),
    model: z.string().min(1).optional().describe("model name as the endpoint knows it; each provider has a default"),
    baseUrl: z.url().optional().describe("address of the endpoint; default `ANTHROPIC_BASE_URL` or `OPENAI_BASE_URL`"),
    apiKeyFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        "file that holds the key, read again when it changes; default the fleet's secret, then `ANTHROPIC_API_KEY` or `OPENAI_API_KEY`",
      ),
    thinking: z
      .enum(["off", "low", "medium", "high"])
      .optional()
      .describe("how much the model thinks before it answers, where it can; default as the model does by itself"),
    contextTokens: z
      .number()
      .int()
      .min(4_000)
      .optional()
      .describe("tokens that a request and its answer may have together; default what is known of the model"),
    maxOutputTokens: z
      .number()
      .int()
      .min(256)
      .optional()
      .describe("tokens that one answer may have; default what is known of the model"),
    price: z
      .strictObject({
        input: z.number().min(0).describe("US dollars for a million tokens of input; no default"),
        output: z.number().min(0).describe("US dollars for a million tokens of output; no default"),
        cacheRead: z
          .number()
          .min(0)
          .optional()
          .describe("US dollars for a million tokens read from the cache; default as `input`"),
        cacheWrite: z
          .number()
          .min(0)
          .optional()
          .describe("US dollars for a million tokens written to the cache; default as `input`"),
      })
      .optional()
      .describe("price of a model that the table of prices does not know"),
  })
  .describe("a model");

const configObject = z.strictObject({
  provider: z
    .enum(["local", "aws"])
    .default("local")
    .describe("where instances live: `local`, processes on this machine; `aws`, EC2 instances"),
  aws: awsSettingsSchema.optional().describe("the AWS account; needed with `provider: aws`"),
  instanceName: instanceNameSchema.default("CLAWDINATOR-1").describe("name that `clawdinator up` takes"),
  gateway: z
    .strictObject({
      port: z.number().int().min(0).max(65_535).default(18_789).describe("port of the console; 0 takes a free one"),
      host: z
        .string()
        .min(1)
        .default("127.0.0.1")
        .describe("address to listen on; anything but loopback needs `allowedHosts`"),
      allowedHosts: z.array(z.string()).default([]).describe("further `Host` names that requests may carry"),
    })
    .prefault({}),
  models: z
    .strictObject({
      personality: modelSchema
        .optional()
        .describe(
          "who talks; default: `anthropic` where its key is there, else `openai-compatible` where `OPENAI_BASE_URL` is set, else `openai` where its key is there, else `interpreter`",
        ),
      coding: modelSchema
        .optional()
        .describe("who writes code; default: `openai` where its key is there, else `personality`"),
      summaries: modelSchema.optional().describe("who shortens long conversations; default `personality`"),
      fallbacks: z
        .array(modelSchema)
        .max(5)
        .default([])
        .describe("who takes over, in order, while `personality` cannot answer"),
    })
    .prefault({}),
  limits: z
    .strictObject({
      turns: z.number().int().min(1).max(1000).default(24).describe("model turns in one run"),
      tokens: z.number().int().min(1000).default(400_000).describe("tokens in one run, input and output"),
      runSeconds: seconds.default(900).describe("seconds that one run may take"),
      proposalsPerRun: z.number().int().min(0).max(50).default(3).describe("operations that one run may propose"),
    })
    .prefault({}),
  memory: z
    .strictObject({
      directory: z
        .string()
        .min(1)
        .optional()
        .describe("where the hive mind's documents lie, shared by all instances; default below the state directory"),
    })
    .prefault({}),
  secrets: z
    .strictObject({
      directory: z
        .string()
        .min(1)
        .optional()
        .describe(
          "where an instance keeps its secrets as files; default `/run/agenix` on AWS, else `secrets` below the state directory",
        ),
    })
    .prefault({}),
  conversations: z
    .strictObject({
      directory: z
        .string()
        .min(1)
        .optional()
        .describe("where conversations lie, shared by all instances; default below the state directory"),
      mode: z
        .enum(["interrupt", "queue"])
        .default("interrupt")
        .describe("a new message in a conversation stops the running answer, or waits for it"),
      channels: z
        .record(z.string(), z.enum(["interrupt", "queue"]))
        .default({})
        .describe('the same for single channels, such as `{"cli": "queue"}`'),
      contextTokens: z
        .number()
        .int()
        .min(4_000)
        .default(32_000)
        .describe(
          "tokens that a model is taken to hold whose own limit is not known; at three quarters the older part of a conversation is shortened",
        ),
    })
    .prefault({}),
  pictures: z
    .strictObject({
      mode: z
        .enum(["off", "seldom", "often"])
        .default("seldom")
        .describe("how readily an animated picture is posted unasked; whoever asks gets one, except with `off`"),
    })
    .prefault({}),
  workspace: z
    .strictObject({
      directory: z
        .string()
        .min(1)
        .optional()
        .describe(
          "where each name's workspace lies (soul, identity, skills, schedule), shared by all instances; default beside `conversations.directory`",
        ),
    })
    .prefault({}),
  program: z
    .strictObject({
      repository: z
        .string()
        .min(1)
        .optional()
        .describe("git repository that siblings are built from; default: the checkout that `clawdinator up` runs from"),
    })
    .prefault({}),
  fleet: z
    .strictObject({
      repository: z
        .string()
        .min(1)
        .optional()
        .describe("address of the fleet repository; default a bare repository below the state directory"),
      candidateSeconds: seconds
        .optional()
        .describe("a candidate that has not proved itself by then is removed; default 60, on AWS 900"),
      drainSeconds: seconds.default(20).describe("time for running answers to end before they are handed over"),
      leaseSeconds: z
        .number()
        .min(1)
        .max(3600)
        .optional()
        .describe("an instance that was silent for this long counts as lost; default 15, on AWS 900"),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("least severity that is logged"),
    })
    .prefault({}),
});

/** By provider: a process starts within a second, a machine boots; and each renewal on S3 is paid for. */
const timing = { local: { candidateSeconds: 60, leaseSeconds: 15 }, aws: { candidateSeconds: 900, leaseSeconds: 900 } };

export const configSchema = configObject
  .superRefine((config, context) => {
    const missing = config.provider !== "aws" ? [] : missingForAws(config);
    for (const [path, message] of missing) context.addIssue({ code: "custom", path: path.split("."), message });
  })
  .transform((config) => ({ ...config, fleet: { ...config.fleet, ...fleetTiming(config) } }));
export type Config = z.output<typeof configSchema>;

function fleetTiming({ provider, fleet }: z.output<typeof configObject>) {
  const { candidateSeconds, leaseSeconds } = timing[provider];
  return {
    candidateSeconds: fleet.candidateSeconds ?? candidateSeconds,
    leaseSeconds: fleet.leaseSeconds ?? leaseSeconds,
  };
}

function missingForAws(config: z.output<typeof configObject>): [string, string][] {
  const needed: [string, unknown, string][] = [
    ["aws", config.aws, "needed with `provider: aws`: at least `bucket`, an output of the stack in tofu/"],
    ["fleet.repository", config.fleet.repository, "needed with `provider: aws`: the address of the fleet repository"],
    [
      "program.repository",
      config.program.repository,
      "needed with `provider: aws`: the repository that images are built from",
    ],
  ];
  return needed.filter(([, value]) => value === undefined).map(([path, , message]) => [path, message]);
}

/** Reads and checks the file; a missing default file is an empty configuration, a missing named one is an error. */
export function loadConfig(options: { path: string; required: boolean }): Config {
  let text: string;
  try {
    text = readFileSync(options.path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT" && !options.required) return parseConfig({}, options.path);
    throw new ConfigError(`cannot read the configuration ${options.path}: ${(cause as Error).message}`, {
      code: "config_unreadable",
      hint: "check the path given with --config",
      cause,
    });
  }
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError(`${options.path} is not JSON: ${(cause as Error).message}`, {
      code: "config_syntax",
      hint: "mend the file at that place; comments and trailing commas are not JSON",
      cause,
    });
  }
  return parseConfig(raw, options.path);
}

/** All problems at once, each with the key, what is wrong and what would be right. */
export function parseConfig(raw: unknown, source: string): Config {
  const result = configSchema.safeParse(raw);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => describeIssue(issue));
  throw new ConfigError(
    `${source} has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}:\n${problems.map((line) => `  ${line}`).join("\n")}`,
    { code: "config_invalid", hint: "mend these keys; README.md, “Configuration”, lists every key with its default" },
  );
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const path = issue.path.join(".");
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(issue.path.map(String));
    return issue.keys.map((key) => {
      const full = path ? `${path}.${key}` : key;
      return `${full}: there is no such key; known here: ${known.join(", ")}`;
    });
  }
  return [`${path || "(the whole file)"}: ${issue.message}`];
}

/** The keys that the schema knows at a path, for the message about an unknown one. */
function keysAt(path: string[]): string[] {
  return Object.keys(configShape().at(path) ?? {}).sort();
}

/** Walks the schema's plain form: used for messages and for the generated table in README.md. */
export function configShape(): { at(path: string[]): Record<string, JsonSchema> | undefined; root: JsonSchema } {
  const root = z.toJSONSchema(configObject, { io: "input", unrepresentable: "any" }) as JsonSchema;
  return {
    root,
    at: (path) => path.reduce<JsonSchema | undefined>((schema, key) => schema?.properties?.[key], root)?.properties,
  };
}

export interface JsonSchema {
  type?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  properties?: Record<string, JsonSchema>;
}
