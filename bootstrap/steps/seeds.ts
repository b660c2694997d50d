/** The repositories' first seeds in the bucket; the fleet refreshes them later. */
import { join } from "node:path";
import { publishSeeds } from "../../tools/fleet/aws/seeds.ts";
import { shareLogin } from "../git.ts";
import { checkoutGit, programAddress, remoteOf } from "../program.ts";
import { readSettings } from "../settings-file.ts";
import type { BootstrapStep } from "../step.ts";

export const seeds: BootstrapStep = {
  name: "seeds",
  title: "repository seeds",
  describe: () => "put the program's and the fleet's history into the bucket as git bundles, which instances boot with",

  // Looking and publishing are one thing: what is there already is not sent again.
  isDone: async () => false,

  async run(context) {
    const { clients, environment, paths, signal, speaker } = context;
    const settings = await readSettings(context);
    if (!settings) throw new Error("the infrastructure has left no settings");
    const published = await publishSeeds({
      clients,
      bucket: settings.bucket,
      seeds: [
        { name: "program", repository: await programAddress(context) },
        { name: "fleet", repository: remoteOf(context) },
      ],
      directory: join(paths.home, "seeds"),
      environment,
      prepare: (mirror) => shareLogin(checkoutGit(context), mirror),
      signal,
      progress: (text) => speaker.say("progress", text),
    });
    for (const { key, reused } of published) speaker.say("progress", `${key} ${reused ? "is up to date" : "is there"}`);
    return Object.fromEntries(published.map(({ name, sha256, revision }) => [name, { sha256, revision }]));
  },
};
