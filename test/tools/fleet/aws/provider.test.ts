import {
  CreateLaunchTemplateCommand,
  CreateLaunchTemplateVersionCommand,
  ModifyLaunchTemplateCommand,
} from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { createAwsProvider } from "../../../../tools/fleet/aws/provider.ts";
import { type AwsSettings, awsSettingsSchema } from "../../../../tools/fleet/aws/settings.ts";
import { ownedBy, toEc2Tags } from "../../../../tools/fleet/aws/tags.ts";
import type { FleetProvider } from "../../../../tools/fleet/services.ts";
import { whyNotRepaired } from "../../../support/aws.ts";
import { type AwsAccount, makeAccount, registerAmi, shareEmulator, testImage } from "../../../support/aws-instances.ts";
import { commitFiles, makeRepository } from "../../../support/git.ts";
import { temporaryDirectory } from "../../../support/temporary.ts";

const emulator = shareEmulator();
const signal = new AbortController().signal;
const one = "clawd-0123456789ab";

function openProvider(
  account: AwsAccount,
  change: Partial<AwsSettings> = {},
  programRepository = "/nowhere",
): FleetProvider {
  const { clients, store } = account;
  return createAwsProvider({
    settings: awsSettingsSchema.parse({ ...account.settings, ...change }),
    clients,
    store,
    stateDirectory: temporaryDirectory(),
    programRepository,
    configuration: () => Promise.reject(new Error("nobody prepared the configuration")),
    environment: process.env,
  });
}

describe.skipIf(whyNotRepaired())("a launch's plan", () => {
  test("binds the number of the template's default version, and the whole placement", async () => {
    const account = await makeAccount(emulator());
    const provider = openProvider(account);
    const { launchTemplate, subnets } = account.stack;
    const plan = await provider.planLaunch();
    expect(plan.placement).toEqual({
      ...{ launchTemplate, version: 1, instanceType: "t3.small", subnets, rootGiB: 40 },
      instanceProfiles: {},
    });
    expect(plan.warnings).toEqual([]);
    expect((await provider.planLaunch()).placement).toEqual(plan.placement);
    await newDefaultVersion(account, {});
    expect((await provider.planLaunch()).placement).toMatchObject({ version: 2 });
  });

  test("states its cost and the fleet's, with the date of the prices", async () => {
    const account = await makeAccount(emulator());
    const provider = openProvider(account);
    const before = await provider.planLaunch();
    // t3.small in Frankfurt, 40 GiB of gp3, a public address: 17.52 + 3.81 + 3.65.
    expect(before.monthlyUsd).toBeCloseTo(24.98, 2);
    expect(before.note).toMatch(
      /list prices of eu-central-1 on \d{4}-\d\d-\d\d: t3\.small, 40 GiB gp3, a public address/,
    );
    await provider.launch(account.spec(one));
    const running = await provider.planLaunch();
    expect(running.currentMonthlyUsd - before.currentMonthlyUsd).toBeCloseTo(24.98, 1);
    await provider.stop(one, { graceMs: 0, signal });
    // A stopped machine keeps its volume.
    const stopped = await provider.planLaunch();
    expect(stopped.currentMonthlyUsd - before.currentMonthlyUsd).toBeCloseTo(3.81, 2);
    await provider.remove(one, { graceMs: 0, signal });
    expect((await provider.planLaunch()).currentMonthlyUsd).toBeCloseTo(before.currentMonthlyUsd, 2);
  });

  test("warns where the table has no price for the type", async () => {
    const account = await makeAccount(emulator());
    const { warnings, note } = await openProvider(account, { instanceType: "x9.huge" }).planLaunch();
    expect(warnings).toEqual([expect.stringContaining("the price of x9.huge is not in the table")]);
    expect(note).toContain("unknown and left out");
  });

  test("is refused without a launch template, or with one that is not there or not ours", async () => {
    const account = await makeAccount(emulator());
    const without = awsSettingsSchema.parse({ ...account.settings, launchTemplate: undefined });
    await expect(openProvider(account, without).planLaunch()).rejects.toMatchObject({
      code: "launch_template_missing",
    });
    await expect(openProvider(account, { launchTemplate: "lt-00000000000000000" }).planLaunch()).rejects.toMatchObject({
      code: expect.stringMatching(/not_found|launch_template_missing/),
    });
    const client = await account.clients.ec2();
    const { LaunchTemplate } = await client.send(
      new CreateLaunchTemplateCommand({
        LaunchTemplateName: `${account.settings.fleet}-foreign`,
        LaunchTemplateData: { InstanceType: "t3.small" },
        TagSpecifications: [{ ResourceType: "launch-template", Tags: toEc2Tags(ownedBy("another")) }],
      }),
    );
    const launchTemplate = String(LaunchTemplate?.LaunchTemplateId);
    await expect(openProvider(account, { launchTemplate }).planLaunch()).rejects.toMatchObject({ code: "not_ours" });
  });

  test("is refused with a template whose machines would give out credentials, naming every fault", async () => {
    const account = await makeAccount(emulator());
    await newDefaultVersion(account, { MetadataOptions: { HttpTokens: "optional", HttpPutResponseHopLimit: 2 } });
    const error = await openProvider(account)
      .planLaunch()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "launch_template_unfit" });
    expect(String(error)).toContain("IMDSv1");
    expect(String(error)).toContain("2 hops");
    expect(String(error)).toContain("no instance profile");
  });

  test("is refused where an instance could not mount the memory", async () => {
    const account = await makeAccount(emulator());
    await expect(openProvider(account, { fileSystem: "fs-00000000000000000" }).planLaunch()).rejects.toMatchObject({
      code: "file_system_unusable",
    });
  });
});

describe.skipIf(whyNotRepaired())("the provider", () => {
  test("launches, lists and removes as the contract says", async () => {
    const account = await makeAccount(emulator());
    const provider = openProvider(account);
    const instance = provider.instanceId("0123456789abcdef0123456789abcdef");
    expect(instance).toBe("clawd-0123456789ab");
    const { placement } = await provider.planLaunch();
    await provider.launch(account.spec(instance, { placement }));
    expect(await provider.list()).toEqual([
      {
        instance,
        name: "CLAWDINATOR-2",
        image: testImage,
        revision: account.spec(instance).revision,
        liveness: "running",
        machine: expect.stringMatching(/^i-/),
      },
    ]);
    await provider.remove(instance, { graceMs: 0, signal });
    expect(await provider.list()).toEqual([]);
  });

  test("takes the newest AMI of the image that is this fleet's", async () => {
    const account = await makeAccount(emulator());
    const { clients, settings } = account;
    const options = { image: testImage, revision: account.spec(one).revision };
    await registerAmi(clients, { ...options, fleet: `${settings.fleet}-other` });
    await openProvider(account).launch(account.spec(one));
    const [machine] = await account.liveMachines(one);
    expect(machine?.ImageId).toBe(account.ami);
  });

  test("knows the program's revisions", async () => {
    const account = await makeAccount(emulator());
    const repository = `${temporaryDirectory()}/program`;
    makeRepository(repository, { "flake.nix": "{ }\n" });
    const commit = commitFiles(repository, { "flake.nix": "{ outputs = _: { }; }\n" });
    const provider = openProvider(account, {}, repository);
    expect(await provider.resolveRevision("main")).toBe(commit);
    expect(await provider.resolveRevision(commit.slice(0, 10))).toBe(commit);
    await expect(provider.resolveRevision("nothing")).rejects.toMatchObject({ code: "revision_unknown" });
  });

  test("estimates what keeping an image costs", async () => {
    const account = await makeAccount(emulator());
    const provider = openProvider(account);
    expect(provider.imageCost(2 * 1024 ** 3)).toMatchObject({ onceUsd: 0.02, monthlyUsd: 0.11 });
    expect(provider.imageCost(null)).toMatchObject({ onceUsd: 0, monthlyUsd: 0 });
  });

  test("switches only an instance of ours that runs", async () => {
    const account = await makeAccount(emulator());
    const provider = openProvider(account);
    const options = {
      token: "t",
      revision: "c".repeat(40),
      progress() {},
      signal,
      undoes: null,
      verify: async () => true,
    };
    await expect(provider.switchRevision?.(one, options)).rejects.toMatchObject({ code: "instance_not_running" });
  });
});

async function newDefaultVersion(account: AwsAccount, data: object): Promise<void> {
  const client = await account.clients.ec2();
  const LaunchTemplateId = account.placement.launchTemplate;
  const { LaunchTemplateVersion } = await client.send(
    new CreateLaunchTemplateVersionCommand({
      LaunchTemplateId,
      LaunchTemplateData: {
        InstanceType: "t3.small",
        ...(Object.keys(data).length > 0
          ? data
          : {
              IamInstanceProfile: { Name: "clawdinator-instance" },
              MetadataOptions: { HttpTokens: "required", HttpPutResponseHopLimit: 1 },
            }),
      },
    }),
  );
  const DefaultVersion = String(LaunchTemplateVersion?.VersionNumber);
  await client.send(new ModifyLaunchTemplateCommand({ LaunchTemplateId, DefaultVersion }));
}
