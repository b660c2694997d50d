/** Images killed between any two calls to AWS: one process stops at a different call for each account, then it is killed. */
import { DescribeSnapshotsCommand } from "@aws-sdk/client-ec2";
import { expect, test } from "vitest";
import { type ImportWay, importWays, type PlannedImage } from "../../../../../tools/fleet/services.ts";
import { type ImageAccount, makeImageAccount, onRepairedEmulator, step } from "../../../../support/aws-images.ts";
import { shareEmulator } from "../../../../support/aws-instances.ts";
import { runModule } from "../../../../support/run-module.ts";

// Hundreds of public images that nobody asks for make each look at snapshots slow.
shareEmulator();

type Work = "import" | "abandon" | "remove";

interface Job {
  account: ImageAccount;
  image: PlannedImage;
  token: string;
  via: ImportWay;
}

/** Calls of which many are sent at once: being killed at the first stands for the others. */
const repeated = new Set(["PutSnapshotBlockCommand", "GetSnapshotBlockCommand", "UploadPartCommand"]);

async function prepare(via: ImportWay): Promise<Job> {
  const account = await makeImageAccount({ settings: { importWay: via, visibilitySeconds: 0.2 } });
  const image = await account.built();
  return { account, image, token: step("t").token, via };
}

async function perform(work: Work, { account, image, token, via }: Job): Promise<void> {
  const { images } = account;
  if (work === "import") await images.importImage(image, { ...step(""), token, via });
  else if (work === "abandon") await images.abandonImport(image, { ...step(""), token });
  else await images.removeImage(image.id);
}

/** Every call of the work, as `<command>#<n>`. */
async function callsOf(work: Work, job: Job): Promise<string[]> {
  const sent = await job.account.requests();
  await perform(work, job);
  const seen = new Map<string, number>();
  return sent.flatMap((command) => {
    const count = (seen.get(command) ?? 0) + 1;
    seen.set(command, count);
    return repeated.has(command) && count > 1 ? [] : [`${command}#${count}`];
  });
}

/** Does the work for each job until AWS has answered its point's call, and is killed before anybody hears the answer. */
async function killAt(work: Work, jobs: (Job & { point: string })[]): Promise<void> {
  const given = jobs.map(({ account, image, token, via, point }) => {
    const { settings, stateDirectory } = account;
    return { settings, stateDirectory, image, token, via, point };
  });
  const source = `
    const { createAwsClients } = await import(project("tools/fleet/aws/clients.ts"));
    const { openAwsImages } = await import(project("tools/fleet/aws/images/images.ts"));
    const { onEachCall } = await import(project("test/support/aws-call.ts"));
    setInterval(() => {}, 1000);
    for (const { settings, stateDirectory, image, token, via, point } of ${JSON.stringify(given)}) {
      const clients = createAwsClients({ region: settings.region });
      let reached;
      const stopped = new Promise((resolve) => { reached = resolve; });
      const seen = new Map();
      await onEachCall(clients, async (command, call) => {
        seen.set(command, (seen.get(command) ?? 0) + 1);
        const isPoint = command + "#" + seen.get(command) === point;
        try {
          return await call();
        } finally {
          if (isPoint) { reached(point); await new Promise(() => {}); }
        }
      });
      const images = openAwsImages({
        settings, clients, stateDirectory, environment: { PATH: "/nowhere" }, now: () => Date.now(),
        inUse: async () => [], program: { resolve: async (revision) => revision, flake: (commit) => commit },
      });
      const options = { token, via, progress: () => {}, signal: new AbortController().signal };
      const work = {
        import: () => images.importImage(image, options),
        abandon: () => images.abandonImport(image, options),
        remove: () => images.removeImage(image.id),
      }[${JSON.stringify(work)}];
      console.log(await Promise.race([stopped, work().then(() => "ended before " + point, (error) => String(error))]));
    }
    process.kill(process.pid, "SIGKILL");
  `;
  const child = runModule(source);
  expect(await child.ended).toBe("SIGKILL");
  expect(child.lines).toEqual(jobs.map(({ point }) => point));
}

async function expectOne({ account }: Job): Promise<void> {
  const [ami, ...others] = await account.amis();
  expect(others).toEqual([]);
  const snapshots = (await account.snapshots()).map(({ SnapshotId }) => SnapshotId);
  expect(snapshots).toEqual([ami?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId]);
  expect(await account.objects()).toEqual({ keys: [], unfinished: [] });
}

async function expectNothing({ account }: Job): Promise<void> {
  expect(await account.amis()).toEqual([]);
  expect(await account.snapshots()).toEqual([]);
  expect(await account.objects()).toEqual({ keys: [], unfinished: [] });
}

async function jobsFor(points: string[], via: ImportWay): Promise<(Job & { point: string })[]> {
  const jobs = [];
  for (const point of points) jobs.push({ ...(await prepare(via)), point });
  return jobs;
}

// Seconds where nothing else runs; each starts a dozen imports.
const timeout = 180_000;

for (const via of importWays)
  onRepairedEmulator(`images by ${via}`, () => {
    test("an import killed at any call is finished by the next attempt, with one AMI and one snapshot", {
      timeout,
    }, async () => {
      const points = await callsOf("import", await prepare(via));
      expect(points.length).toBeGreaterThan(7);
      const jobs = await jobsFor(points, via);
      await killAt("import", jobs);
      for (const job of jobs) {
        await perform("import", job);
        await expectOne(job);
      }
    });

    test("an import killed at any call and given up leaves nothing but what was registered", { timeout }, async () => {
      const points = await callsOf("import", await prepare(via));
      const jobs = await jobsFor(points, via);
      await killAt("import", jobs);
      for (const job of jobs) {
        await perform("abandon", job);
        await perform("abandon", job);
        if ((await job.account.amis()).length > 0) await expectOne(job);
        else await expectNothing(job);
      }
      // VM Import tags nothing that it makes.
      const client = await prepare(via).then(({ account }) => account.clients.ec2());
      const { Snapshots = [] } = await client.send(new DescribeSnapshotsCommand({ OwnerIds: ["self"] }));
      const imported = Snapshots.filter(({ Description, Tags = [] }) => Description === "import" && Tags.length === 0);
      expect(imported).toEqual([]);
    });

    test("a removal killed at any call is finished by the next attempt", { timeout }, async () => {
      const first = await prepare(via);
      await perform("import", first);
      const points = await callsOf("remove", first);
      const jobs = await jobsFor(points, via);
      for (const job of jobs) await perform("import", job);
      await killAt("remove", jobs);
      for (const job of jobs) {
        await perform("remove", job);
        await expectNothing(job);
      }
    });
  });
