import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DeregisterImageCommand, DescribeSnapshotsCommand, RegisterImageCommand } from "@aws-sdk/client-ec2";
import { describe, expect, test } from "vitest";
import { rootDevice } from "../../../../../tools/fleet/aws/images/ami.ts";
import { fromEc2Tags, ownedBy } from "../../../../../tools/fleet/aws/tags.ts";
import type { ImportWay } from "../../../../../tools/fleet/services.ts";
import {
  blockBytes,
  diskContent,
  type ImageAccount,
  makeImageAccount,
  onRepairedEmulator,
  step,
} from "../../../../support/aws-images.ts";
import { shareEmulator } from "../../../../support/aws-instances.ts";

// Hundreds of public images that nobody asks for make each look at snapshots slow.
const emulator = shareEmulator();
const ways: ImportWay[] = ["ebs-direct", "vm-import"];
const once = { times: 1 };

async function expectOneImage(account: ImageAccount, image: string): Promise<void> {
  const [ami, ...others] = await account.amis();
  expect(others).toEqual([]);
  expect(ami).toMatchObject({ ImageId: image, State: "available" });
  const snapshots = await account.snapshots();
  expect(snapshots.map(({ SnapshotId }) => SnapshotId)).toEqual([ami?.BlockDeviceMappings?.[0]?.Ebs?.SnapshotId]);
  expect(snapshots[0]?.State).toBe("completed");
  expect(await account.objects()).toEqual({ keys: [], unfinished: [] });
  expect(readImports(account)).toEqual([]);
}

function readImports(account: ImageAccount): string[] {
  try {
    return readdirSync(join(account.stateDirectory, "imports"));
  } catch {
    return [];
  }
}

onRepairedEmulator("images as AMIs", () => {
  describe.each(ways)("import by %s", (via) => {
    test("registers what the image says, tagged in the call that makes it, and gives it again", async () => {
      const account = await makeImageAccount();
      const { images, settings } = account;
      const image = await account.built();
      const imported = await images.importImage(image, { ...step("t1"), via });
      expect(imported).toMatchObject({ revision: image.revision, reused: false });
      const [ami] = await account.amis();
      expect(ami).toMatchObject({
        Name: `${settings.fleet}-${image.id}`,
        Architecture: "x86_64",
        BootMode: "uefi",
        EnaSupport: true,
        ImdsSupport: "v2.0",
        RootDeviceName: rootDevice,
      });
      const tags = {
        ...ownedBy(settings.fleet),
        "clawdinator:image": image.id,
        "clawdinator:revision": image.revision,
        "clawdinator:derivation": image.derivation,
        "clawdinator:bytes": String(diskContent().length),
      };
      expect(fromEc2Tags(ami?.Tags)).toMatchObject(tags);
      expect(fromEc2Tags((await account.snapshots())[0]?.Tags)).toMatchObject(tags);
      await expectOneImage(account, imported.image);

      const requests = await account.requests();
      expect(await images.importImage(image, { ...step("t2"), via })).toEqual({ ...imported, reused: true });
      expect(requests).toEqual(["DescribeImagesCommand"]);
      expect(
        await account.another({ stateDirectory: "/nonexistent" }).importImage(image, { ...step("t3"), via }),
      ).toEqual({
        ...imported,
        reused: true,
      });
    });

    test("the same closure is not imported again, and both revisions are known by the one AMI", async () => {
      const account = await makeImageAccount();
      const { images } = account;
      const first = await account.built({ closure: "/nix/store/same" });
      const second = await account.built({ closure: "/nix/store/same", revision: "b".repeat(40) });
      const one = await images.importImage(first, { ...step("t1"), via });
      const two = await images.importImage(second, { ...step("t2"), via });
      expect(two).toEqual({ ...one, revision: second.revision, reused: true });
      await expectOneImage(account, one.image);
      expect((await images.deriveImage(second.revision)).built).toMatchObject({ id: second.id, ami: one.image });
      expect((await images.listImages()).map(({ id, ami }) => [id, ami])).toEqual([
        [first.id, one.image],
        [second.id, one.image],
      ]);
      account.used.add(second.id);
      await expect(images.removeImage(first.id)).rejects.toMatchObject({ code: "image_in_use" });
      account.used.clear();
      await images.removeImage(second.id);
      expect((await images.listImages()).map(({ id }) => id)).toEqual([first.id]);
      await images.removeImage(first.id);
      expect(await account.amis()).toEqual([]);
      expect(await account.snapshots()).toEqual([]);
    });

    test("a name that someone else's AMI has is an error, and stays theirs", async () => {
      const account = await makeImageAccount();
      const image = await account.built();
      const client = await account.clients.ec2();
      const name = `${account.settings.fleet}-${image.id}`;
      const { ImageId } = await client.send(new RegisterImageCommand({ Name: name, RootDeviceName: rootDevice }));
      const failure = account.images.importImage(image, { ...step("t1"), via });
      await expect(failure).rejects.toMatchObject({
        code: "ami_name_taken",
        message: expect.stringContaining(String(ImageId)),
      });
      await account.images.abandonImport(image, step("t1"));
      expect(await account.snapshots()).toEqual([]);
      expect(await account.objects()).toEqual({ keys: [], unfinished: [] });
      await account.images.removeImage(image.id);
      await client.send(new DeregisterImageCommand({ ImageId }));
    });

    test.each<[string, Record<string, unknown>]>([
      [
        "RegisterImage does not know the new snapshot",
        { "ec2:RegisterImage": { code: "InvalidSnapshot.NotFound", times: 3 } },
      ],
      ["the new AMI cannot be seen", { "ec2:DescribeImages": { code: "InvalidAMIID.NotFound", after: 1, times: 3 } }],
      ["RegisterImage's answer is lost", { "ec2:RegisterImage": { late: true, drop: true, ...once } }],
      [
        "RegisterImage fails after it did its work",
        { "ec2:RegisterImage": { late: true, code: "InternalError", status: 500, ...once } },
      ],
      ["one call in ten is throttled", { "*": { p: 0.1, code: "RequestLimitExceeded", status: 503 } }],
      ["one connection in twenty breaks", { "*": { p: 0.05, drop: true } }],
    ])("succeeds with one AMI and one snapshot though %s", async (_, faults) => {
      const account = await makeImageAccount();
      const image = await account.built();
      emulator().setFaults(faults);
      const imported = await account.images.importImage(image, { ...step("t1"), via });
      emulator().setFaults({});
      await expectOneImage(account, imported.image);
    });

    test("expired credentials are said so, and the import goes on with new ones", async () => {
      const account = await makeImageAccount();
      const image = await account.built();
      emulator().setFaults({ "ec2:RegisterImage": { code: "ExpiredToken", status: 403 } });
      const failure = account.images.importImage(image, { ...step("t1"), via });
      await expect(failure).rejects.toMatchObject({
        code: "aws_expired_token",
        hint: expect.stringContaining("log in"),
      });
      emulator().setFaults({});
      const { image: ami } = await account.images.importImage(image, { ...step("t1"), via });
      await expectOneImage(account, ami);
    });

    test("an import that is given up leaves nothing; one that was registered stays", async () => {
      const account = await makeImageAccount();
      const image = await account.built();
      emulator().setFaults({ "ec2:RegisterImage": { code: "UnauthorizedOperation", status: 403 } });
      await expect(account.images.importImage(image, { ...step("t1"), via })).rejects.toMatchObject({
        code: "aws_unauthorized_operation",
      });
      emulator().setFaults({});
      expect(await account.snapshots()).toHaveLength(1);
      await account.images.abandonImport(image, step("t1"));
      await account.images.abandonImport(image, step("t1"));
      expect(await account.snapshots()).toEqual([]);
      expect(await account.objects()).toEqual({ keys: [], unfinished: [] });
      expect(readImports(account)).toEqual([]);

      const { image: ami } = await account.images.importImage(image, { ...step("t2"), via });
      await account.images.abandonImport(image, step("t2"));
      await account.images.abandonImport(image, step("t1"));
      await expectOneImage(account, ami);
    });

    test("what is not built here, and is no AMI, is not imported", async () => {
      const account = await makeImageAccount();
      const image = { revision: "a".repeat(40), id: "img-0123456789ab", digest: "x", derivation: "/nix/store/x.drv" };
      await expect(account.images.importImage(image, { ...step("t"), via })).rejects.toMatchObject({
        code: "image_not_built",
      });
      expect(await account.amis()).toEqual([]);
    });
  });

  test("the next image is sent as what differs from the newest one", async () => {
    const account = await makeImageAccount();
    await account.images.importImage(await account.built(), { ...step("t1"), via: null });
    const content = diskContent();
    content.fill(9, 3 * blockBytes, 3 * blockBytes + 10);
    const next = await account.built({ revision: "b".repeat(40), content });
    const told: string[] = [];
    const imported = await account.images.importImage(next, {
      ...step("t2"),
      via: null,
      progress: (text) => told.push(text),
    });
    expect(imported.reused).toBe(false);
    const found = await (await account.clients.ec2()).send(
      new DescribeSnapshotsCommand({ SnapshotIds: [String(imported.snapshot)] }),
    );
    expect(found.Snapshots).toHaveLength(1);
    const client = await account.clients.ebs();
    const { ListChangedBlocksCommand } = await import("@aws-sdk/client-ebs");
    const first = (await account.snapshots()).find(({ SnapshotId }) => SnapshotId !== imported.snapshot);
    const { ChangedBlocks = [] } = await client.send(
      new ListChangedBlocksCommand({ FirstSnapshotId: first?.SnapshotId, SecondSnapshotId: String(imported.snapshot) }),
    );
    expect(ChangedBlocks.map(({ BlockIndex }) => BlockIndex)).toEqual([3]);
    expect(told.at(-1)).toContain("registering");
  });

  test("an image in use stays, by its id or by its AMI's", async () => {
    const account = await makeImageAccount();
    const image = await account.built();
    const { image: ami } = await account.images.importImage(image, { ...step("t1"), via: null });
    for (const id of [image.id, ami]) {
      account.used.clear();
      account.used.add(id);
      await expect(account.images.removeImage(image.id)).rejects.toMatchObject({ code: "image_in_use" });
    }
    await expectOneImage(account, ami);
  });

  test("of several images only the one that is named goes", async () => {
    const account = await makeImageAccount();
    const images = [];
    for (const letter of ["a", "b", "c"]) {
      const image = await account.built({ revision: letter.repeat(40), content: diskContent(letter.charCodeAt(0)) });
      await account.images.importImage(image, { ...step(letter), via: null });
      images.push(image);
    }
    const listed = async () => (await account.images.listImages()).map(({ id }) => id);
    // EC2 tells the second of creation only, so the order of images made within one second is that of their AMIs' ids.
    const [first, second, third, ...more] = await listed();
    expect([first, second, third].sort()).toEqual(images.map(({ id }) => id).sort());
    expect(more).toEqual([]);
    await account.images.removeImage(String(second));
    expect(await listed()).toEqual([first, third]);
    expect(await account.snapshots()).toHaveLength(2);
  });

  test("another fleet's images in the same account are neither seen nor touched", async () => {
    const [theirs, ours] = [await makeImageAccount(), await makeImageAccount()];
    const image = await theirs.built();
    const { image: ami } = await theirs.images.importImage(image, { ...step("t"), via: null });
    expect(await ours.images.listImages()).toEqual([]);
    await ours.images.removeImage(image.id);
    await ours.images.abandonImport(image, step("t"));
    await expectOneImage(theirs, ami);
  });
});

test.each(["ami-1", "../x", "img-XYZ", ""])("refuses %j as an image id", async (id) => {
  const account = await makeImageAccount();
  await expect(account.images.removeImage(id)).rejects.toMatchObject({ code: "image_id_invalid" });
});
