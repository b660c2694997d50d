import { PutObjectCommand } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import type { AwsClients } from "../../../../../tools/fleet/aws/clients.ts";
import { importSnapshot } from "../../../../../tools/fleet/aws/images/vm-import.ts";
import { makeImageAccount, onRepairedEmulator, step } from "../../../../support/aws-images.ts";
import { shareEmulator } from "../../../../support/aws-instances.ts";

// Hundreds of public images that nobody asks for make each look at snapshots slow.
const emulator = shareEmulator();
const part = 8 * 1024 ** 2;

function threeParts(): Buffer {
  const content = Buffer.alloc(2 * part + 1000);
  for (const at of [0, part, 2 * part]) content.fill(at / part + 1, at, at + 500);
  return content;
}

onRepairedEmulator("sending to S3 and importing", () => {
  test("parts that an earlier attempt sent are not sent again", async () => {
    const account = await makeImageAccount();
    const image = await account.built({ content: threeParts() });
    const options = { ...step("t"), via: "vm-import" as const };
    const controller = new AbortController();
    const stopAtSecond = (text: string): void => {
      if (text.startsWith("sent 66 %")) controller.abort();
    };
    const begun = account.images.importImage(image, { ...options, signal: controller.signal, progress: stopAtSecond });
    await expect(begun).rejects.toMatchObject({ name: "AbortError" });
    emulator().setFaults({ "ec2:ImportSnapshot": { code: "UnauthorizedOperation", status: 403 } });
    const requests = await account.requests();
    await expect(account.images.importImage(image, options)).rejects.toMatchObject({
      code: "aws_unauthorized_operation",
    });
    expect(requests).toContain("ListPartsCommand");
    expect(requests).not.toContain("CreateMultipartUploadCommand");
    // The third was on its way: S3 may have it.
    expect(requests.filter((command) => command === "UploadPartCommand").length).toBeLessThanOrEqual(1);
    emulator().setFaults({});
    requests.length = 0;
    expect((await account.images.importImage(image, options)).reused).toBe(false);
    expect(requests).not.toContain("UploadPartCommand");
    expect(requests).not.toContain("CreateMultipartUploadCommand");
  });

  test("what arrives is the file, byte for byte", async () => {
    const account = await makeImageAccount();
    const content = threeParts();
    const image = await account.built({ content });
    emulator().setFaults({ "ec2:ImportSnapshot": { code: "UnauthorizedOperation", status: 403 } });
    await expect(account.images.importImage(image, { ...step("t"), via: "vm-import" })).rejects.toThrow();
    emulator().setFaults({});
    const { GetObjectCommand } = await import("@aws-sdk/client-s3");
    const request = { Bucket: account.settings.bucket, Key: `images/${image.id}.raw` };
    const answer = await (await account.clients.s3()).send(new GetObjectCommand(request));
    expect(Buffer.from((await answer.Body?.transformToByteArray()) ?? []).equals(content)).toBe(true);
  });
});

test("an object that is not this fleet's stays", async () => {
  const account = await makeImageAccount();
  const image = await account.built();
  const Key = `images/${image.id}.raw`;
  const client = await account.clients.s3();
  await client.send(new PutObjectCommand({ Bucket: account.settings.bucket, Key, Body: "somebody's" }));
  await account.images.removeImage(image.id);
  expect((await account.objects()).keys).toEqual([Key]);
});

/** An EC2 that answers from a list; the emulator has no import that fails. */
function scripted(answers: Record<string, unknown[]>): { clients: Pick<AwsClients, "ec2">; sent: string[] } {
  const sent: string[] = [];
  const send = async (command: { constructor: { name: string } }): Promise<unknown> => {
    const { name } = command.constructor;
    sent.push(name);
    const answer = answers[name]?.shift();
    if (answer === undefined) throw new Error(`nobody prepared ${name}`);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { clients: { ec2: async () => ({ send }) as never }, sent };
}

const object = { bucket: "b", key: "images/x.raw", fleet: "f" };
const common = { object, token: "t", visibilitySeconds: 1, tags: {}, signal: new AbortController().signal };
const task = (detail: object) => ({ ImportTaskId: "import-snap-1", SnapshotTaskDetail: detail });

test("an import that fails gives the service's reason", async () => {
  const { clients } = scripted({
    ImportSnapshotCommand: [task({ Status: "active" })],
    DescribeImportSnapshotTasksCommand: [
      { ImportSnapshotTasks: [] },
      { ImportSnapshotTasks: [task({ Status: "active", Progress: "41", StatusMessage: "downloading" })] },
      { ImportSnapshotTasks: [task({ Status: "deleted", StatusMessage: "ClientError: Disk validation failed" })] },
    ],
  });
  const told: string[] = [];
  const failure = importSnapshot({ ...common, clients, progress: (text) => told.push(text) });
  await expect(failure).rejects.toMatchObject({
    code: "vm_import_failed",
    message: expect.stringContaining("Disk validation failed"),
  });
  expect(told).toContain("VM Import: 41 % downloading");
});
