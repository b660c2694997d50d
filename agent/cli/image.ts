import type { Image } from "../../tools/fleet/services.ts";
import type { ApprovalView } from "../protocol.ts";
import { connect } from "./client.ts";
import type { CommandContext } from "./context.ts";
import { followApproval } from "./follow.ts";
import { shortId, table, timeOf } from "./output.ts";

interface BuildResult {
  revision: string;
  digest: string;
  path: string;
  bytes: number;
  reused: boolean;
  image: string;
}

export async function build(context: CommandContext, revision: string | undefined): Promise<void> {
  const approval = await propose(context, "image_build", revision ? { revision } : {});
  const operation = await followApproval(context, approval.id, { asStream: false });
  const { results } = await (await connect(context)).get<{ results: { build_image: BuildResult } }>(
    `/api/operations/${operation.id}`,
  );
  const { build_image: built } = results;
  context.output.result(
    built,
    () => `${built.image} of ${shortId(built.revision)}${built.reused ? " (was there)" : ""}\n${built.path}`,
  );
}

export async function importImage(
  context: CommandContext,
  revision: string | undefined,
  options: Record<string, unknown>,
): Promise<void> {
  const { via } = options;
  const approval = await propose(context, "ami_import", {
    ...(revision ? { revision } : {}),
    ...(typeof via === "string" ? { via } : {}),
  });
  if (options.wait !== true && approval.state === "pending") {
    context.output.result(
      approval,
      () => `proposed: ${approval.summary}\n  clawdinator approvals approve ${approval.id}`,
    );
    return;
  }
  const operation = await followApproval(context, approval.id, { asStream: false });
  const { results } = await (await connect(context)).get<{ results: { import_image: unknown } }>(
    `/api/operations/${operation.id}`,
  );
  context.output.result(results.import_image, () => `${operation.summary}: done`);
}

export async function list(context: CommandContext): Promise<void> {
  const { images } = await (await connect(context)).get<{ images: Image[] }>("/api/images");
  context.output.result({ images }, () =>
    images.length === 0
      ? "no image is built yet: clawdinator image build"
      : table(
          ["IMAGE", "AMI", "REVISION", "BUILT (UTC)", "MB"],
          images.map((image) => [
            image.id,
            image.ami ?? "–",
            shortId(image.revision),
            timeOf(image.builtAt),
            (image.bytes / 1e6).toFixed(1),
          ]),
        ),
  );
}

export async function prune(context: CommandContext, options: Record<string, unknown>): Promise<void> {
  const approval = await propose(
    context,
    "image_prune",
    typeof options.keep === "number" ? { keep: options.keep } : {},
  );
  context.output.result(approval, () => {
    const images = approval.plan.changes.map((change) => `  ${change.what} (${change.before})`);
    return [approval.summary, ...images, `  clawdinator approvals approve ${approval.id}`].join("\n");
  });
}

async function propose(
  context: CommandContext,
  operation: string,
  input: Record<string, unknown>,
): Promise<ApprovalView> {
  const { approval } = await (await connect(context)).post<{ approval: ApprovalView }>("/api/operations", {
    operation,
    input,
  });
  return approval;
}
