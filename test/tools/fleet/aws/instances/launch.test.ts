import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { openAwsInstances } from "../../../../../tools/fleet/aws/instances/instances.ts";
import type { MachineRecord } from "../../../../../tools/fleet/aws/instances/machine-record.ts";
import { emulatorKind } from "../../../../support/aws.ts";
import { type AwsAccount, makeAccount, shareEmulator } from "../../../../support/aws-instances.ts";
import { runModule } from "../../../../support/run-module.ts";
import { waitFor } from "../../../../support/wait.ts";

/** Client tokens and faults are the repaired emulator's. */
const isRepaired = emulatorKind() === "moto, repaired and with faults";
const emulator = shareEmulator();
const signal = new AbortController().signal;
const one = "clawd-0123456789ab";

const recordOf = async (account: AwsAccount): Promise<MachineRecord> =>
  (await account.store.get(`machines/${one}`))?.value as unknown as MachineRecord;

describe.skipIf(!isRepaired)("one plan, one machine", () => {
  test("when two gateways launch it at once", async () => {
    const account = await makeAccount(emulator());
    const gateways = Array.from({ length: 6 }, () => account.another());
    await Promise.all(gateways.map((gateway) => gateway.launch(account.spec(one))));
    expect(await account.liveMachines(one)).toHaveLength(1);
    const [machine] = await account.liveMachines(one);
    expect((await recordOf(account)).machine).toBe(machine?.InstanceId);
  });

  test("when the answer is lost", async () => {
    const account = await makeAccount(emulator());
    emulator().setFaults({ "ec2:RunInstances": { late: true, drop: true, times: 1 } });
    await account.instances.launch(account.spec(one));
    expect(await account.liveMachines(one)).toHaveLength(1);
  });

  test("when every answer is lost until the attempt is given up, and another is made later", async () => {
    const account = await makeAccount(emulator());
    emulator().setFaults({ "ec2:RunInstances": { late: true, drop: true } });
    await expect(account.instances.launch(account.spec(one))).rejects.toThrow(/launching an instance|did not answer/);
    emulator().setFaults({});
    expect((await recordOf(account)).machine).toBeNull();
    expect(await account.another().launch(account.spec(one))).toEqual({ started: false });
    expect(await account.liveMachines(one)).toHaveLength(1);
    expect((await recordOf(account)).machine).toMatch(/^i-/);
  });

  test("when EC2 does not show it for a while and the launch is repeated meanwhile", async () => {
    const account = await makeAccount(emulator());
    emulator().setFaults({ "ec2:RunInstances": { late: true, drop: true } });
    await account.instances.launch(account.spec(one, { port: 1111 })).catch(() => {});
    emulator().setFaults({ "ec2:DescribeInstances": { code: "InvalidInstanceID.NotFound", times: 3 } });
    // Another port now goes with the name; what is repeated is the first attempt, byte for byte.
    await account.another().launch(account.spec(one, { port: 2222 }));
    emulator().setFaults({});
    expect(await account.liveMachines(one)).toHaveLength(1);
    expect((await recordOf(account)).request.port).toBe(1111);
  });

  test("with a tenth of all calls throttled, failing or dropped", async () => {
    const account = await makeAccount(emulator());
    emulator().setFaults({
      "ec2:*": [
        { p: 0.1, code: "RequestLimitExceeded", status: 503 },
        { p: 0.05, code: "InternalError", status: 500 },
        { p: 0.05, drop: true },
        { p: 0.05, drop: true, late: true },
      ],
    });
    const ids = Array.from({ length: 6 }, (_, index) => `clawd-00000000000${index}`);
    await Promise.all(ids.map((id) => account.another().launch(account.spec(id))));
    for (const id of ids.slice(0, 3)) await account.another().remove(id, { signal });
    emulator().setFaults({});
    expect((await account.instances.list()).map(({ instance }) => instance).sort()).toEqual(ids.slice(3));
    for (const id of ids.slice(3)) expect(await account.liveMachines(id)).toHaveLength(1);
  });

  test("when the credentials expire in the middle and the operation is resumed", async () => {
    const account = await makeAccount(emulator());
    for (const after of [0, 1, 2, 3, 4]) {
      emulator().setFaults({ "ec2:*": { after, code: "ExpiredToken", status: 403 } });
      const failed = await account.instances.launch(account.spec(one)).catch((error: unknown) => error);
      if (failed instanceof Error)
        expect(failed).toMatchObject({ code: "aws_expired_token", hint: expect.stringContaining("ask for it again") });
    }
    emulator().setFaults({});
    await account.instances.launch(account.spec(one));
    expect(await account.liveMachines(one)).toHaveLength(1);
    await account.instances.remove(one, { signal });
    expect(await account.liveMachines(one)).toEqual([]);
  });

  test("though a newer template version has become the default", async () => {
    const account = await makeAccount(emulator());
    const { CreateLaunchTemplateVersionCommand, ModifyLaunchTemplateCommand } = await import("@aws-sdk/client-ec2");
    const client = await account.clients.ec2();
    const LaunchTemplateId = account.placement.launchTemplate;
    await client.send(
      new CreateLaunchTemplateVersionCommand({
        LaunchTemplateId,
        LaunchTemplateData: { InstanceType: "m7i.large", MetadataOptions: { HttpTokens: "optional" } },
      }),
    );
    await client.send(new ModifyLaunchTemplateCommand({ LaunchTemplateId, DefaultVersion: "2" }));
    await account.instances.launch(account.spec(one));
    const [machine] = await account.liveMachines(one);
    expect(machine?.InstanceType).toBe("t3.small");
    const version = machine?.Tags?.find(({ Key }) => Key === "aws:ec2launchtemplate:version")?.Value;
    expect(version).toBe("1");
  });

  test("tells when EC2 knows the launch with other parameters, and its removal leaves none", async () => {
    const account = await makeAccount(emulator());
    emulator().setFaults({ "ec2:RunInstances": { late: true, drop: true } });
    await account.instances.launch(account.spec(one)).catch(() => {});
    emulator().setFaults({ "ec2:DescribeInstances": { code: "InvalidInstanceID.NotFound", times: 1 } });
    const placement = { ...account.placement, rootGiB: 50 };
    await expect(account.another().launch(account.spec(one, { placement }))).rejects.toMatchObject({
      code: "launch_differs",
    });
    emulator().setFaults({});
    await account.instances.remove(one, { signal });
    expect(await account.liveMachines(one)).toEqual([]);
    expect(await account.store.list("machines/")).toEqual([]);
  });
});

describe.skipIf(!isRepaired)("without capacity", () => {
  const refused = { code: "InsufficientInstanceCapacity", status: 500 };

  test("in the first zone, it launches in the next one", async () => {
    const account = await makeAccount(emulator());
    // The SDK asks six times in the first subnet.
    emulator().setFaults({ "ec2:RunInstances": { ...refused, times: 6 } });
    expect(await account.instances.launch(account.spec(one))).toEqual({ started: true });
    const [machine, ...others] = await account.liveMachines(one);
    expect(others).toEqual([]);
    expect(machine?.SubnetId).toBe(account.settings.subnets[1]);
    expect((await recordOf(account)).request.subnet).toBe(1);
  });

  test("anywhere, it names the zones that it tried and leaves nothing", async () => {
    const account = await makeAccount(emulator());
    emulator().setFaults({ "ec2:RunInstances": refused });
    const error = await account.instances.launch(account.spec(one)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "no_capacity", hint: expect.stringContaining("aws.subnets") });
    for (const zone of ["eu-central-1a", "eu-central-1b", "eu-central-1c"]) expect(String(error)).toContain(zone);
    expect(await account.liveMachines(one)).toEqual([]);
    expect(await account.store.list("machines/")).toEqual([]);
    const before = performance.now();
    await account.instances.remove(one, { signal });
    expect(performance.now() - before).toBeLessThan(1_000);
  });

  test("a repetition goes on in the zone where the former attempt was, not in the first", async () => {
    const account = await makeAccount(emulator());
    emulator().setFaults({
      "ec2:RunInstances": [
        { ...refused, times: 6 },
        { late: true, drop: true },
      ],
    });
    await account.instances.launch(account.spec(one)).catch(() => {});
    emulator().setFaults({ "ec2:DescribeInstances": { code: "InvalidInstanceID.NotFound", times: 2 } });
    await account.another().launch(account.spec(one));
    emulator().setFaults({});
    const machines = await account.liveMachines(one);
    expect(machines.map(({ SubnetId }) => SubnetId)).toEqual([account.settings.subnets[1]]);
  });
});

describe.skipIf(!isRepaired)("a process that is killed between the launch and its record", () => {
  /** Launches in a process of its own that is killed the moment EC2 has launched. */
  async function launchAndDie(account: AwsAccount, options: { isLaunched: boolean }): Promise<void> {
    const reached = Promise.withResolvers<void>();
    const proxy = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const isLaunch = body.includes("Action=RunInstances");
      if (isLaunch && !options.isLaunched) return reached.resolve();
      const headers = Object.entries(request.headers).filter(([name]) =>
        /^(authorization|content-type|x-amz)/.test(name),
      );
      const answer = await fetch(`${account.emulator.url}${request.url}`, {
        method: request.method ?? "POST",
        headers: headers as [string, string][],
        body,
      });
      const text = await answer.text();
      // The answer to the launch never arrives: by then the process is dead.
      if (isLaunch) return reached.resolve();
      response.writeHead(answer.status, { "content-type": "text/xml" }).end(text);
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      proxy.closeAllConnections();
      proxy.close();
    });
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const source = `
      const { openSqliteStore } = await import(project("agent/gateway/store/sqlite.ts"));
      const { createAwsClients } = await import(project("tools/fleet/aws/clients.ts"));
      const { openAwsInstances } = await import(project("tools/fleet/aws/instances/instances.ts"));
      const { settings, spec, storePath } = JSON.parse(process.env.LAUNCH);
      const clients = createAwsClients({ region: settings.region });
      const store = await openSqliteStore({ path: storePath });
      await openAwsInstances({ settings, clients, store }).launch(spec);
    `;
    const { settings, storePath } = account;
    const child = runModule(source, {
      ...process.env,
      AWS_ENDPOINT_URL_EC2: url,
      LAUNCH: JSON.stringify({ settings, storePath, spec: account.spec(one) }),
    });
    await Promise.race([reached.promise, child.ended.then((how) => Promise.reject(new Error(`it ended: ${how}`)))]);
    child.child.kill("SIGKILL");
    await child.ended;
    expect((await recordOf(account)).machine).toBeNull();
  }

  test("is followed by a removal that leaves nothing", async () => {
    const account = await makeAccount(emulator());
    await launchAndDie(account, { isLaunched: true });
    expect(await account.liveMachines(one)).toHaveLength(1);
    expect(await account.instances.liveness(one)).toBe("running");
    await account.instances.remove(one, { signal });
    expect(await account.liveMachines(one)).toEqual([]);
    expect(await account.store.list("machines/")).toEqual([]);
  });

  test("is followed by a removal that waits until EC2 shows the machine", async () => {
    const account = await makeAccount(emulator());
    await launchAndDie(account, { isLaunched: true });
    emulator().setFaults({ "ec2:DescribeInstances": { code: "InvalidInstanceID.NotFound", times: 5 } });
    await account.instances.remove(one, { signal });
    emulator().setFaults({});
    expect(await account.liveMachines(one)).toEqual([]);
  });

  test("is followed by a launch that finds the machine", async () => {
    const account = await makeAccount(emulator());
    await launchAndDie(account, { isLaunched: true });
    await account.instances.launch(account.spec(one));
    expect(await account.liveMachines(one)).toHaveLength(1);
  });

  test("when nothing was launched, the removal believes that only after the time in which something may appear", async () => {
    const account = await makeAccount(emulator(), { launchDeadlineMs: 500, settings: { visibilitySeconds: 1 } });
    await launchAndDie(account, { isLaunched: false });
    const { launchedAt } = await recordOf(account);
    expect(await account.instances.liveness(one)).toBe("running");
    await account.instances.remove(one, { signal });
    expect((await account.store.now()) - launchedAt).toBeGreaterThanOrEqual(1_500);
    expect(await account.store.list("machines/")).toEqual([]);
    expect(await account.instances.liveness(one)).toBe("absent");
  });
});

describe.skipIf(!isRepaired)("rivals", () => {
  test("a launch whose instance was removed meanwhile ends what it launched", async () => {
    const account = await makeAccount(emulator(), { launchDeadlineMs: 5_000 });
    emulator().setFaults({ "ec2:RunInstances": { latency_ms: 800 } });
    const launching = account.instances.launch(account.spec(one)).catch((error: unknown) => error);
    await waitFor(async () => (await recordOf(account)) !== undefined);
    // As if the removal had been sure already, which takes longer than a launch may.
    await account.store.delete(`machines/${one}`);
    expect(await launching).toMatchObject({ code: "instance_removed" });
    expect(await account.liveMachines(one)).toEqual([]);
  });

  test("a launch that is overtaken by one in another zone ends its own machine", async () => {
    const account = await makeAccount(emulator(), { launchDeadlineMs: 5_000 });
    emulator().setFaults({ "ec2:RunInstances": { latency_ms: 800, times: 1 } });
    const slow = account.instances.launch(account.spec(one));
    await waitFor(async () => (await recordOf(account)) !== undefined);
    const record = await recordOf(account);
    await account.store.put(`machines/${one}`, { ...record, request: { ...record.request, subnet: 1 } });
    await slow;
    const machines = await account.liveMachines(one);
    expect(machines.map(({ SubnetId }) => SubnetId)).toEqual([account.settings.subnets[1]]);
  });

  test("a machine that lost, and whose launcher was killed before it could end it, is ended by the next launch", async () => {
    const account = await makeAccount(emulator());
    await account.instances.launch(account.spec(one));
    const winner = await recordOf(account);
    const [first, second] = account.settings.subnets;
    // The loser launched in another zone: the record that it would have lost against is put back afterwards.
    await account.store.delete(`machines/${one}`);
    emulator().setFaults({ "ec2:DescribeInstances": { code: "InvalidInstanceID.NotFound", times: 1 } });
    const placement = { ...account.placement, subnets: [String(second), String(first)] };
    await account.another().launch(account.spec(one, { placement }));
    await account.store.put(`machines/${one}`, winner);
    expect(await account.liveMachines(one)).toHaveLength(2);
    expect(await account.another().launch(account.spec(one))).toEqual({ started: false });
    expect((await account.liveMachines(one)).map(({ InstanceId }) => InstanceId)).toEqual([winner.machine]);
  });

  test("a machine just launched counts as running while EC2 does not show it", async () => {
    const account = await makeAccount(emulator(), { settings: { visibilitySeconds: 60 } });
    await account.instances.launch(account.spec(one));
    const { settings, clients, store } = account;
    const blind = openAwsInstances({ settings: { ...settings, fleet: settings.fleet }, clients, store });
    emulator().setFaults({ "ec2:DescribeInstances": [{ after: 1, code: "InvalidInstanceID.NotFound", times: 2 }] });
    // The listing still shows it; a look at it alone does not.
    expect(await blind.liveness(one)).toBe("running");
    expect(await blind.launch(account.spec(one))).toEqual({ started: false });
  });
});
