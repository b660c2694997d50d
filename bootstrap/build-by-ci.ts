/** The image built by the fleet repository's workflow on GitHub, and found again by its tag. */
import { setTimeout as sleep } from "node:timers/promises";
import { ToolError } from "../tools/errors.ts";
import { aws } from "../tools/fleet/aws/errors.ts";
import { ownedFilters, revisionTag } from "../tools/fleet/aws/tags.ts";
import { gh, githubRepository } from "./github.ts";
import { remoteOf } from "./program.ts";
import type { BootstrapContext } from "./step.ts";

/** Of the fleet repository, from its template. */
const workflow = "image.yml";
/** A build takes 30 to 45 minutes on GitHub's machines. */
const deadlineMs = 90 * 60_000;
const lookEveryMs = 20_000;
/** A run that was asked for shows in the list after some seconds. */
const appearsAfterMs = 5 * 60_000;

/** Waits until this fleet has an AMI of the commit; asks for a build once. Throws ToolError where the build failed. */
export async function buildByCi(context: BootstrapContext, revision: string): Promise<void> {
  const { speaker, signal, journal } = context;
  if (await hasImage(context, revision)) return;
  const repository = githubRepository(remoteOf(context)) ?? "";
  const asked = journal.outputs("launch").ciAskedAt;
  let askedAt = typeof asked === "string" ? Date.parse(asked) : null;
  if (askedAt === null || Date.now() - askedAt > deadlineMs) {
    askedAt = Date.now();
    await gh(context, ["workflow", "run", workflow, "--repo", repository, "--field", `revision=${revision}`]);
    await noteAsked(context, new Date(askedAt).toISOString());
    speaker.say("progress", `asked ${repository} to run ${workflow}`);
  }
  const end = askedAt + deadlineMs;
  while (Date.now() < end) {
    if (await hasImage(context, revision)) return;
    const state = await runState(context, { repository, since: askedAt });
    if (state.failed) {
      await noteAsked(context, null);
      throw new ToolError(`the image build on GitHub ended as ${state.text}`, {
        code: "ci_failed",
        hint: `\`gh run view --repo ${repository} --log-failed\` says why; then run the same command again, which asks for another build`,
      });
    }
    const minutes = Math.round((Date.now() - askedAt) / 60_000);
    speaker.say("progress", `the image build on GitHub: ${state.text}, ${minutes} min`);
    await sleep(lookEveryMs, undefined, { signal });
  }
  throw new ToolError(`no AMI of ${revision.slice(0, 12)} appeared within ${deadlineMs / 60_000} minutes`, {
    code: "ci_late",
    hint: `\`gh run list --repo ${repository}\` shows what became of the build; then run the same command again`,
  });
}

async function noteAsked(context: BootstrapContext, at: string | null): Promise<void> {
  await context.journal.change((record) => {
    const outputs = record.steps.launch?.outputs;
    if (outputs) outputs.ciAskedAt = at;
  });
}

async function hasImage({ clients, options }: BootstrapContext, revision: string): Promise<boolean> {
  const [{ DescribeImagesCommand }, client] = await Promise.all([import("@aws-sdk/client-ec2"), clients.ec2()]);
  const { Images = [] } = await aws("looking for the image that CI builds", () =>
    client.send(
      new DescribeImagesCommand({
        Owners: ["self"],
        Filters: ownedFilters(options.fleet, { [revisionTag]: revision }),
      }),
    ),
  );
  return Images.some(({ State }) => State === "available");
}

async function runState(
  context: BootstrapContext,
  options: { repository: string; since: number },
): Promise<{ text: string; failed: boolean }> {
  const fields = "status,conclusion,createdAt";
  const text = await gh(context, [
    ...["run", "list", "--repo", options.repository, "--workflow", workflow],
    ...["--event", "workflow_dispatch", "--limit", "5", "--json", fields],
  ]);
  const rows = JSON.parse(text || "[]") as { status: string; conclusion: string; createdAt: string }[];
  const [newest] = rows.filter(({ createdAt }) => Date.parse(createdAt) > options.since - appearsAfterMs);
  if (!newest) return { text: "queued", failed: false };
  if (newest.status !== "completed") return { text: newest.status.replaceAll("_", " "), failed: false };
  return { text: newest.conclusion, failed: newest.conclusion !== "success" };
}
