/** What the end of an operation is an occasion for. */
import type { Occasion } from "../../tools/picture-occasions.ts";
import type { OperationView } from "../protocol.ts";

/** Operations on policy and secrets are no occasion: nobody jokes about those. */
const succeeded: { [operation: string]: Occasion } = {
  instance_launch: "launch",
  instance_replace: "replace",
  instance_switch: "replace",
  self_update: "replace",
  fleet_roll: "celebrate",
  instance_retire: "retired",
  image_build: "image-built",
  ami_import: "image-built",
  image_prune: "stale",
};

export function occasionOf({ operation, state }: Pick<OperationView, "operation" | "state">): Occasion | undefined {
  if (state === "compensated") return "rollback-done";
  return state === "succeeded" ? succeeded[operation] : undefined;
}
