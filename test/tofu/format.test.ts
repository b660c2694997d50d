/** Checks by programs that are not part of the project. Where one is missing, the test's title says what was not run. */
import { spawnSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../support/temporary.ts";
import { findSchemaChecker, findTofu, stackDirectory } from "../support/tofu.ts";

const tofu = findTofu();
const checker = findSchemaChecker();

if (checker) {
  test("every resource type, argument and reference is one that the provider's schema has", () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [checker, stackDirectory], { encoding: "utf8" });
    expect({ status, stdout, stderr: stderr.split("\n").filter((line) => !line.includes("0 findings")) }).toMatchObject(
      {
        status: 0,
      },
    );
  });
} else {
  test("resource types and arguments are not checked here: the provider's schema is not at hand", () => {
    console.warn("not run: check of the stack against the provider's schema");
  });
}

if (tofu) {
  test("is formatted as `tofu fmt` formats it", () => {
    const { status, stdout } = run(["fmt", "-check", "-recursive", stackDirectory]);
    expect(stdout.trim()).toBe("");
    expect(status).toBe(0);
  });

  test("the names that the stack derives pass their own tests (`tofu test`)", () => {
    const directory = join(temporaryDirectory(), "names");
    cpSync(join(stackDirectory, "names"), directory, { recursive: true });
    expect(run(["init", "-backend=false"], directory).status).toBe(0);
    const { status, stdout } = run(["test"], directory);
    expect(stdout).toContain("0 failed");
    expect(status).toBe(0);
  });

  test("nothing has to be set, and each value of a wrong form is refused by the variable's own rule", () => {
    const directory = temporaryDirectory();
    cpSync(join(stackDirectory, "variables.tf"), join(directory, "variables.tf"));
    expect(run(["init"], directory).status).toBe(0);
    expect(run(["plan", "-input=false"], directory).status).toBe(0);
    const wrong = {
      aws_region: "Frankfurt",
      fleet: "My Fleet",
      tags: '{"clawdinator": "false"}',
      bucket_name: "Upper",
      pr_intent_bucket_name: "a_b",
      vpc_id: "default",
      subnet_ids: '["a"]',
      ssh_public_key: "~/.ssh/id_ed25519.pub",
      ssh_cidrs: '["everywhere"]',
      console_cidrs: '["10.0.0.0"]',
      egress_ports: "[0]",
      instance_type: "small",
      root_volume_gib: "4",
      ami_id: "latest",
      first_instance_name: "bob",
      instance_names: '["bob"]',
      instances_file: "/nowhere.json",
      shared_secrets: '["a/b"]',
      ci_repository: "fleet",
      ci_branch: "*",
      github_oidc_provider_arn: "github",
    };
    const parameters = Object.entries(wrong).map(([name, value]) => `-var=${name}=${value}`);
    const { status, stderr } = run(["plan", "-input=false", "-no-color", ...parameters], directory);
    expect(status).not.toBe(0);
    for (const name of Object.keys(wrong)) expect(stderr, name).toContain(`variable "${name}"`);
  });

  test("a file that overrides the protection lifts it, and without it a destroy is refused", () => {
    const directory = temporaryDirectory();
    const block =
      'resource "terraform_data" "kept" {\n  input = "x"\n  lifecycle {\n    prevent_destroy = true\n  }\n}\n';
    writeFileSync(join(directory, "main.tf"), block);
    expect(run(["init"], directory).status).toBe(0);
    expect(run(["apply", "-auto-approve"], directory).status).toBe(0);
    const refused = run(["destroy", "-auto-approve"], directory);
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain("prevent_destroy");
    const lifted = 'resource "terraform_data" "kept" {\n  lifecycle {\n    prevent_destroy = false\n  }\n}\n';
    writeFileSync(join(directory, "teardown_override.tf"), lifted);
    expect(run(["destroy", "-auto-approve"], directory).status).toBe(0);
  });
} else {
  test("format and `tofu test` are not checked here: there is no `tofu` in PATH", () => {
    console.warn("not run: `tofu fmt -check` and `tofu test`");
  });
}

function run(parameters: string[], directory = stackDirectory) {
  return spawnSync(tofu ?? "tofu", parameters, {
    cwd: directory,
    encoding: "utf8",
    env: { PATH: process.env.PATH, HOME: tmpdir(), TF_IN_AUTOMATION: "1", NO_COLOR: "1", CHECKPOINT_DISABLE: "1" },
  });
}
