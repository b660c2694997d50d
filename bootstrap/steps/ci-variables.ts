/** What the fleet repository's workflows must know: no secrets, since CI takes its role by OIDC. */
import { ProviderError } from "../../tools/errors.ts";
import { gh, githubRepository, whyNoGh } from "../github.ts";
import type { Outputs } from "../journal.ts";
import type { BootstrapContext, BootstrapStep } from "../step.ts";

export const ciVariables: BootstrapStep = {
  name: "ci-variables",
  title: "variables for CI",
  describe: ({ options }) =>
    options.remote !== null && githubRepository(options.remote)
      ? `set AWS_ROLE_ARN, AWS_REGION and S3_BUCKET as variables of ${githubRepository(options.remote)} on GitHub`
      : "nothing: the fleet repository is not on GitHub",

  async isDone(context) {
    const target = await targetOf(context);
    if ("skip" in target) return false;
    const found = await readVariables(context, target.repository);
    return Object.entries(variablesOf(context)).every(([name, value]) => found.get(name) === value);
  },

  async run(context): Promise<Outputs> {
    const target = await targetOf(context);
    if ("skip" in target) {
      context.speaker.say("skipped", `no variables are set: ${target.skip}`);
      return { skipped: target.skip };
    }
    const found = await readVariables(context, target.repository);
    const wanted = variablesOf(context);
    for (const [name, value] of Object.entries(wanted)) {
      if (found.get(name) === value) continue;
      await gh(context, ["variable", "set", name, "--repo", target.repository, "--body", value]);
      context.speaker.say("progress", `${name} is set`);
    }
    return { repository: target.repository, variables: Object.keys(wanted) };
  },

  async list(context) {
    const repository = knownRepository(context);
    if (repository === null || (await whyNoGh(context))) return [];
    const found = await readVariables(context, repository).catch(() => new Map<string, string>());
    return names.filter((name) => found.has(name)).map((name) => `GitHub variable ${name} of ${repository}`);
  },

  async undo(context) {
    const repository = knownRepository(context);
    if (repository === null) return;
    if (await whyNoGh(context)) {
      context.speaker.say("warning", `the variables of ${repository} stay: gh cannot be used here`);
      return;
    }
    const found = await readVariables(context, repository).catch((error: unknown) => {
      // The repository may be gone, or somebody else's by now.
      if (error instanceof ProviderError) return new Map<string, string>();
      throw error;
    });
    for (const name of names) {
      if (found.has(name)) await gh(context, ["variable", "delete", name, "--repo", repository]);
    }
  },
};

/** Whose variables an earlier run has set. */
function knownRepository({ journal, options }: BootstrapContext): string | null {
  const { repository } = journal.outputs("ci-variables");
  if (typeof repository === "string") return repository;
  return options.remote === null ? null : githubRepository(options.remote);
}

const names = ["AWS_ROLE_ARN", "AWS_REGION", "S3_BUCKET"] as const;

async function targetOf(context: BootstrapContext): Promise<{ repository: string } | { skip: string }> {
  const { remote } = context.options;
  const repository = remote === null ? null : githubRepository(remote);
  if (!repository) return { skip: "the fleet repository is not on GitHub" };
  const why = await whyNoGh(context);
  return why ? { skip: `${why}; later: \`--only ci-variables\`` } : { repository };
}

function variablesOf(context: BootstrapContext): Record<string, string> {
  const { ci_role_arn, bucket_name } = context.journal.outputs("infrastructure");
  return {
    ...(typeof ci_role_arn === "string" ? { AWS_ROLE_ARN: ci_role_arn } : {}),
    AWS_REGION: context.options.region,
    ...(typeof bucket_name === "string" ? { S3_BUCKET: bucket_name } : {}),
  };
}

async function readVariables(context: BootstrapContext, repository: string): Promise<Map<string, string>> {
  const text = await gh(context, ["variable", "list", "--repo", repository, "--json", "name,value"]);
  const rows = JSON.parse(text || "[]") as { name: string; value: string }[];
  return new Map(rows.map(({ name, value }) => [name, value]));
}
