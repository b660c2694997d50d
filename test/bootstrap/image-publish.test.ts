/** `clawdinator image publish`: from a commit to an AMI without a gateway. */
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { publishImage } from "../../agent/cli/image-publish.ts";
import { awsSettingsSchema } from "../../tools/fleet/aws/settings.ts";
import { createFleetRepository } from "../../tools/fleet/repository.ts";
import { emulatorRegion, whyNotRepaired } from "../support/aws.ts";
import { shareEmulator } from "../support/aws-instances.ts";
import { makeRepository } from "../support/git.ts";
import { imageFlake, nixEnvironment, whyNoNixBuild } from "../support/nix-build.ts";
import { makeStack } from "../support/stack.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const emulator = shareEmulator();
const main = join(import.meta.dirname, "..", "..", "agent", "main.ts");
const noNix = whyNoNixBuild();

function cli(parameters: string[], home: string): Promise<{ code: number; value: { error?: { code: string } } }> {
  const env = { PATH: process.env.PATH, HOME: home, CLAWDINATOR_HOME: home, ...emulator().environment };
  const command = ["--disable-warning=ExperimentalWarning", main, "image", "publish", "--json", ...parameters];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { env }, (error, stdout) => {
      const code = error ? (typeof error.code === "number" ? error.code : 1) : 0;
      resolve({ code, value: JSON.parse(stdout) });
    });
  });
}

test("refuses a way that is not known, and a configuration without AWS", async () => {
  const home = temporaryDirectory();
  expect(await cli(["--via", "pigeon"], home)).toMatchObject({ code: 2, value: { error: { code: "usage" } } });
  expect(await cli([], home)).toMatchObject({ code: 1, value: { error: { code: "config_invalid" } } });
});

test.skipIf(noNix !== null || whyNotRepaired() !== null)(
  `builds, imports and registers a commit once${noNix ? `: ${noNix}` : ""}`,
  async () => {
    const directory = temporaryDirectory();
    const repository = join(directory, "program");
    const revision = makeRepository(repository, { "flake.nix": imageFlake(), "content.txt": "hello\n" });
    const fleetRepository = join(directory, "fleet.git");
    const author = { name: "Somebody", email: "somebody@example.org" };
    const template = join(import.meta.dirname, "..", "..", "nix", "templates", "fleet");
    await createFleetRepository({ directory: fleetRepository, template, replacements: {}, author });
    const stack = await makeStack(emulator());
    const settings = awsSettingsSchema.parse({ ...stack.settings, visibilitySeconds: 1 });
    const environment = { ...nixEnvironment(directory), ...emulator().environment };
    const small = { evaluationMemoryBytes: 0, buildMemoryBytes: 0, storeBytes: 0, buildDirectoryBytes: 0 };
    const said: string[] = [];
    const publish = (stateDirectory: string) =>
      publishImage({
        ...{
          settings,
          programRepository: repository,
          fleetRepository,
          revision: "HEAD",
          via: null,
          environment,
          needs: small,
        },
        stateDirectory: join(directory, stateDirectory),
        progress: (text) => void said.push(text),
        signal: new AbortController().signal,
      });
    const first = await publish("here");
    expect(first).toMatchObject({
      image: expect.stringMatching(/^ami-/),
      snapshot: expect.stringMatching(/^snap-/),
      revision,
      closure: expect.stringMatching(/^sha256-/),
      reused: false,
    });
    expect(said.join("\n")).toContain("building");
    expect(await publish("here")).toEqual({ ...first, reused: true });
    // Another machine finds the AMI by its commit, and builds nothing.
    expect(await publish("elsewhere")).toEqual({ ...first, reused: true });

    // As CI runs it, with the settings of a fleet repository.
    const config = join(directory, "settings.json");
    const fleet = { repository: fleetRepository };
    const aws = { ...settings, region: emulatorRegion };
    writeFileSync(config, JSON.stringify({ provider: "aws", aws, fleet, program: { repository } }));
    mkdirSync(join(directory, "ci"));
    const byCi = await cli(["--revision", revision, "--config", config], join(directory, "ci"));
    expect(byCi).toEqual({ code: 0, value: { ...first, reused: true } });
  },
  120_000,
);
