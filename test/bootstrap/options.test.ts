import { expect, test } from "vitest";
import { fleetOf, readOptions, rememberedOptions } from "../../bootstrap/options.ts";

const steps = ["check", "plan", "secrets"];
const remote = "git@github.com:somebody/fleet.git";
const read = (given: Record<string, unknown>, remembered: Record<string, string> = {}, environment = {}) =>
  readOptions({ given: { remote, ...given }, remembered, environment: { HOME: "/home/ada", ...environment }, steps });

test("has a default for everything but the remote", () => {
  expect(read({})).toMatchObject({
    name: "CLAWDINATOR-1",
    region: "eu-central-1",
    fleet: "clawdinator",
    directory: "/home/ada/clawdinator-fleet",
    remote,
    build: "here",
    via: "ebs-direct",
    ami: null,
    dryRun: false,
  });
  expect(() => read({ remote: undefined })).toThrow(/--remote is missing/);
  expect(read({ remote: undefined, teardown: true }).remote).toBeNull();
  expect(read({}, {}, { AWS_REGION: "us-east-1" }).region).toBe("us-east-1");
});

test("goes on with what the run before was told, and refuses to become another bootstrap", () => {
  const remembered = rememberedOptions(read({ region: "us-west-2", ami: "ami-0123456789abcdef0" }));
  expect(read({}, remembered)).toMatchObject({ region: "us-west-2", ami: "ami-0123456789abcdef0" });
  expect(() => read({ region: "eu-west-1" }, remembered)).toThrow(/began with us-west-2/);
  expect(() => read({ remote: "git@github.com:somebody/else.git" }, remembered)).toThrow(/began with/);
});

test.each([
  [{ name: "HAL" }, /CLAWDINATOR-1, CLAWDINATOR-2/],
  [{ region: "mars" }, /eu-central-1/],
  [{ fleet: "My Fleet" }, /lower-case/],
  [{ build: "there" }, /here, ci|is not known/],
  [{ via: "pigeon" }, /is not known/],
  [{ ami: "img-1" }, /not the id of an AMI/],
  [{ ami: "ami-0123456789abcdef0", build: "ci" }, /exclude each other/],
  [{ only: "lunch" }, /no step lunch/],
  [{ secret: ["discord-token"] }, /NAME=FILE/],
  [{ secret: ["Discord=token.txt"] }, /NAME=FILE/],
  [{ revision: "--upload-pack=x" }, /not a revision/],
  [{ remote: "" }, /empty/],
  [{ remote: "-oProxyCommand=x" }, /./],
  [{ remote: "https://ada:hunter22@github.com/ada/fleet.git" }, /carries a password/],
  [{ programRepository: "https://ghp_0123456789@github.com/ada/fleet.git" }, /carries a password/],
])("refuses %j", (given, message) => {
  expect(() => read(given)).toThrow(message);
});

test("a refused address does not show its password", () => {
  try {
    read({ remote: "https://ada:hunter22@github.com/ada/fleet.git" });
  } catch (error) {
    expect(String(error)).not.toContain("hunter22");
  }
  expect(fleetOf({ fleet: "two" })).toBe("two");
});
