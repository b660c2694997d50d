/** What the fleet must know of its AWS account; `aws` in the configuration, mostly outputs of the stack in tofu/. */
import { z } from "zod";

export const awsSettingsSchema = z.strictObject({
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-[0-9]$/, "a region is written like eu-central-1")
    .default("eu-central-1")
    .describe("AWS region of the whole fleet"),
  fleet: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,40}$/, "lower-case letters, digits and dashes")
    .default("clawdinator")
    .describe("name of the fleet: value of the tag `clawdinator:fleet`; tells two fleets of an account apart"),
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "an S3 bucket's name")
    .describe("S3 bucket of the coordination store, the repository seeds and VM Import; has no default"),
  storePrefix: z
    .string()
    .regex(/^[a-z0-9-]+(\/[a-z0-9-]+)*\/$/, "ends with a slash")
    .default("store/")
    .describe("where the coordination store lies in the bucket"),
  launchTemplate: z
    .string()
    .regex(/^lt-[0-9a-f]+$/, "a launch template's id: lt-…")
    .optional()
    .describe("launch template of instances; its default version is bound, by number, in each plan"),
  instanceType: z
    .string()
    .regex(/^[a-z0-9-]+\.[a-z0-9-]+$/, "an EC2 instance type such as t3.small")
    .default("t3.small")
    .describe("EC2 type of instances"),
  rootGiB: z.number().int().min(8).max(1024).default(40).describe("size of an instance's root volume, GiB"),
  subnets: z
    .array(z.string().regex(/^subnet-[0-9a-f]+$/))
    .default([])
    .describe("subnets that instances are launched in, the next one where one has no capacity; empty: the template's"),
  fileSystem: z
    .string()
    .regex(/^fs-[0-9a-f]+$/)
    .optional()
    .describe("EFS file system of the hive-mind memory; default none, and plans say so"),
  instanceProfiles: z
    .record(z.string(), z.string().min(1))
    .default({})
    .describe("instance profile by name, for names whose role may read their own secrets; others: the template's"),
  importWay: z
    .enum(["ebs-direct", "vm-import"])
    .default("ebs-direct")
    .describe("how disk images become AMIs: blocks written directly, or the object imported from S3"),
  imageAttribute: z
    .string()
    .regex(/^[A-Za-z0-9_.-]+$/)
    .default("packages.x86_64-linux.image")
    .describe("flake attribute of the raw disk image"),
  nixOptions: z
    .array(z.string())
    .default([])
    .describe("options handed to every `nix` command, such as `--builders` with a machine that is large enough"),
  pollSeconds: z
    .number()
    .min(0.1)
    .max(300)
    .default(5)
    .describe("how often an instance asks S3 whether another one has changed something"),
  visibilitySeconds: z
    .number()
    .min(0)
    .max(600)
    .default(120)
    .describe("how long a fresh resource may stay invisible before its absence is believed"),
});
export type AwsSettings = z.output<typeof awsSettingsSchema>;
