/** The order of the files: those that take longest begin first, so that none of them runs alone at the end. */
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Longest first, as measured; what is not named here comes after them, and larger files before smaller ones. */
const longest = [
  "test/scenarios/aws/kill-anywhere",
  "test/scenarios/kill-anywhere",
  "test/scenarios/aws/faults",
  "test/bootstrap/bootstrap",
  "test/scenarios/two-processes",
  "test/scenarios/aws/main-job",
  "test/scenarios/replace",
  "test/tools/fleet/aws/images/images-killed",
  "test/scenarios/approvals",
  "test/scenarios/fresh-clone",
  "test/scenarios/",
  "test/agent/gateway/store/s3",
  "test/tools/fleet/aws/images/",
  "test/tools/fleet/aws/",
  "test/agent/gateway/discord/",
  "test/bootstrap/run",
  "test/agent/cli",
  "test/agent/console/",
  "test/memory/chaos",
  "test/agent/mind/process",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rest = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification): number => {
      const place = longest.findIndex((part) => moduleId.includes(`/${part}`));
      return place < 0 ? longest.length : place;
    };
    return rest.toSorted((a, b) => rank(a) - rank(b));
  }
}
