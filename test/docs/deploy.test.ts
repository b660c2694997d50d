/** The deploy pages agree with the code: costs, error codes, options, and the order of units. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { estimateCost } from "../../bootstrap/cost.ts";
import { stepNames } from "../../bootstrap/main.ts";
import { asAwsError } from "../../tools/fleet/aws/errors.ts";
import { instanceCost, pricesDate } from "../../tools/fleet/aws/prices.ts";
import { awsSettingsSchema } from "../../tools/fleet/aws/settings.ts";
import { knownSecrets } from "../../tools/secrets/secrets.ts";

const root = join(import.meta.dirname, "..", "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const deploy = read("docs/deploy.md");

const settings = awsSettingsSchema.parse({ bucket: "unused" });
const usd = (value: number): string => `$${value.toFixed(2)}`;
const section = (name: string): string =>
  new RegExp(`<!-- ${name} -->\n\n([\\s\\S]*?)\n\n<!-- /${name} -->`).exec(deploy)?.[1] ?? `no section ${name}`;

test("the cost in the guide is what the program estimates, line by line and in sum", () => {
  const { lines, onceUsd, monthlyUsd } = estimateCost({ settings, sendsImage: true });
  const expected = [
    "| What | Once | A month |",
    "| --- | --- | --- |",
    ...lines.map((line) => `| ${line.what} | ${usd(line.onceUsd)} | ${usd(line.monthlyUsd)} |`),
    `| **together** | **${usd(onceUsd)}** | **${usd(monthlyUsd)}** |`,
  ].join("\n");
  expect(section("cost")).toBe(expected);
  expect(deploy).toContain(`list prices of ${pricesDate}`);
  expect(deploy).toContain(`A month in ${settings.region}`);
});

test("so is the cost of other types and regions", () => {
  const regions = ["eu-central-1", "us-east-1"];
  const expected = [
    `| Type | ${regions.join(" | ")} |`,
    `| --- | ${regions.map(() => "---").join(" | ")} |`,
    ...["t3.small", "t3.medium", "t3.large"].map((type) => {
      const costs = regions.map((region) =>
        usd(instanceCost({ region, type, rootGiB: settings.rootGiB, publicAddress: true }).monthlyUsd),
      );
      return `| ${type} | ${costs.join(" | ")} |`;
    }),
  ].join("\n");
  expect(section("types")).toBe(expected);
});

test("the guide names every secret that an instance knows, with its meaning", () => {
  for (const { name, meaning } of knownSecrets) expect(deploy).toContain(`| \`${name}\` | ${meaning}`);
});

test("the guide has the steps of the bootstrap, in order", () => {
  const table = deploy.slice(deploy.indexOf("| Step | What it does |"), deploy.indexOf("At the end it says"));
  expect([...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1])).toEqual(stepNames);
});

test("every error code on the troubleshooting page is one that the program gives", () => {
  const page = read("docs/troubleshooting.md");
  const first = [...page.matchAll(/^\| ([^|]+) \|/gm)].map((match) => match[1] ?? "");
  const codes = first.flatMap((cell) =>
    [...cell.matchAll(/`([a-z]+(?:_[a-z]+)+|superseded|paused|deadline)`/g)].map((one) => one[1] ?? ""),
  );
  expect(codes.length).toBeGreaterThan(40);
  const source = ["agent", "tools", "bootstrap"]
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => read(join(folder, name))),
    )
    .join("\n");
  const isGiven = (code: string): boolean => {
    if (code.startsWith("aws_") && !source.includes(`"${code}"`)) return hasAwsHint(code);
    // bootstrap/child.ts makes the code from the program's name.
    const made = code === "tofu_missing" ? "command}_missing" : `"${code}"`;
    return source.includes(made);
  };
  expect(codes.filter((code) => !isGiven(code))).toEqual([]);
});

/** `aws_…` codes come from AWS' own names; those on the page have a hint of their own. */
function hasAwsHint(code: string): boolean {
  const name = code.replace(/^aws/, "").replaceAll(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
  const error = asAwsError(Object.assign(new Error("x"), { name }), "a call") as Error & { code: string; hint: string };
  return error.code === code && !error.hint.startsWith("try again; if it stays");
}

test("the units in the guide are those of the machine, in the order in which they start", () => {
  const units = [...deploy.matchAll(/^\| `((?:clawdinator|register)[a-z-]*)` \|/gm)].map((match) => match[1]);
  expect(units).toEqual([
    "register-store-paths",
    "clawdinator-identify",
    "clawdinator-efs-stunnel",
    "clawdinator-memory",
    "clawdinator",
  ]);
  const nix = ["image/store-database.nix", "module/units.nix", "module/efs.nix"]
    .map((name) => read(`nix/${name}`))
    .join("\n");
  for (const unit of units) expect(nix).toContain(`systemd.services.${unit} = {`);
});
