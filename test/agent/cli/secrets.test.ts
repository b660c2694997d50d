/** `clawdinator secrets` as people use it: through a gateway, without one, and at a terminal. */
import { EventEmitter } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readSecretText } from "../../../agent/cli/secret-input.ts";
import type { SecretOutcome, SecretsView } from "../../../agent/gateway/secrets.ts";
import type { AuditEntry } from "../../../agent/protocol.ts";
import { makeFleet, shareFleet } from "../../support/fleet.ts";
import { temporaryDirectory } from "../../support/temporary.ts";
import { privateKey } from "../../tools/secrets/contract.ts";

const fleet = shareFleet();
const value = "sk-ant-0123456789-not-for-logs";

/** Everything that the fleet has written, but for the secrets themselves. */
function everythingWritten(directory: string): string {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.startsWith(join(directory, "secrets")))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "latin1"))
    .join("\n");
}

test("puts from standard input through the gateway, lists without values, and is audited", async () => {
  const put = await fleet().cli(["secrets", "put", "anthropic-api-key", "--json"], { input: `${value}\n` });
  expect(put).toMatchObject({ code: 0, stderr: "" });
  const outcome = put.lines[0] as unknown as SecretOutcome;
  expect(outcome).toMatchObject({
    action: "put",
    changed: true,
    secret: { name: "anthropic-api-key", instance: null, source: "file" },
    uptake: [{ name: "CLAWDINATOR-1", state: "taken" }],
  });
  expect(readFileSync(join(fleet().home, "secrets", "anthropic-api-key"), "utf8")).toBe(value);
  const listed = await fleet().json<SecretsView>("secrets", "list");
  expect(listed.secrets.map((one) => one.name)).toEqual(["anthropic-api-key"]);
  expect(listed.cost.monthlyUsd).toBe(0);
  const { stdout } = await fleet().cli(["secrets", "list"]);
  expect(stdout).toMatch(/anthropic-api-key +file +20[-0-9]+ [:0-9]+ +\S+ +– +1\/1/);
  const audit = await fleet().json<{ entries: AuditEntry[] }>("audit", "--subject", "secret/anthropic-api-key");
  expect(JSON.stringify(audit)).toContain("secret.put");
  expect(JSON.stringify(audit)).toContain("maintainer:1");
  expect(everythingWritten(fleet().home)).not.toContain(value);
  expect(fleet().output()).not.toContain(value);
});

test("rotates, keeps the value before until it is confirmed, and brings it back", async () => {
  const cli = (...parameters: string[]) => fleet().cli(["secrets", ...parameters], { input: "second\n" });
  expect((await cli("rotate", "discord-token", "--json")).lines[0]).toMatchObject({
    error: { code: "unknown_secret", hint: expect.stringContaining("secrets put") },
  });
  await fleet().cli(["secrets", "put", "discord-token", "--instance", "CLAWDINATOR-1"], { input: "first" });
  const rotated = await cli("rotate", "discord-token", "--instance", "CLAWDINATOR-1", "--wait");
  expect(rotated).toMatchObject({ code: 0 });
  expect(rotated.stdout).toContain("the previous value is kept");
  expect(rotated.stdout).toContain("CLAWDINATOR-1: has taken it up");
  const file = join(fleet().home, "secrets", "CLAWDINATOR-1", "discord-token");
  expect(readFileSync(file, "utf8")).toBe("second");
  expect((await cli("rotate", "discord-token", "--instance", "CLAWDINATOR-1", "--undo")).stdout).toContain(
    "is back at its previous value",
  );
  expect(readFileSync(file, "utf8")).toBe("first");
  expect((await cli("rotate", "discord-token", "--instance", "CLAWDINATOR-1", "--confirm")).code).toBe(0);
  expect(existsSync(`${file}.previous`)).toBe(false);
});

test("takes a private key from a file as it is", async () => {
  const path = join(temporaryDirectory(), "key.pem");
  const pem = privateKey();
  writeFileSync(path, pem);
  expect(await fleet().cli(["secrets", "put", "github-app-pem", "--from-file", path])).toMatchObject({ code: 0 });
  expect(readFileSync(join(fleet().home, "secrets", "github-app-pem"), "utf8")).toBe(pem);
});

test.each([
  [["put", "discord-token"], "\n", 1, "is empty"],
  [["put", "discord-token"], `${value} ${value}`, 1, "spaces or line breaks"],
  [["put", "github-app-pem"], value, 1, "not a PEM private key"],
  [["put", "Discord_Token"], value, 2, "not a secret's name"],
  [["put", "discord-token", "--instance", "two"], value, 2, "not an instance's name"],
  [["put", "discord-token", "--from-file", "/nowhere"], "", 1, "cannot read /nowhere"],
  [["put", "discord-token", value], "", 2, "not given on the command line"],
  [["rotate", "discord-token", "--confirm", "--undo"], "", 2, "contradict"],
])("says what is wrong with %j and never shows the value", async (parameters, input, code, message) => {
  const result = await fleet().cli(["secrets", ...parameters], { input });
  expect(result.code).toBe(code);
  expect(result.stderr).toContain(message);
  expect(result.stderr + result.stdout).not.toContain(value);
});

test("wants an approver, also where somebody speaks to the control socket", async () => {
  const added = await fleet().json<{ token: string }>("maintainers", "add", "Ada");
  const environment = { CLAWDINATOR_TOKEN: added.token };
  const put = await fleet().cli(["secrets", "put", "discord-token", "--json"], { input: value, environment });
  expect(put.lines[0]).toMatchObject({ error: { code: "not_an_approver" } });
  expect((await fleet().cli(["secrets", "list", "--json"], { environment })).code).toBe(0);
  const overTcp = await fleet().fetch("/control/secrets");
  expect(overTcp.status).toBe(404);
});

test("works before the first start, with nobody to tell", async () => {
  const fresh = makeFleet();
  const put = await fresh.cli(["secrets", "put", "openai-api-key"], { input: value });
  expect(put).toMatchObject({ code: 0, stdout: expect.stringContaining("no fleet to tell yet") });
  expect(existsSync(join(fresh.home, "fleet"))).toBe(false);
  const { secrets } = await fresh.json<SecretsView>("secrets", "list");
  expect(secrets).toMatchObject([{ name: "openai-api-key", uptake: null }]);
});

/** As a terminal: no echo of its own, keys one by one. */
class Terminal extends EventEmitter {
  isTTY = true;
  rawModes: boolean[] = [];
  shown = "";
  setRawMode = (isRaw: boolean): void => void this.rawModes.push(isRaw);
  setEncoding = (): void => {};
  resume = (): void => {};
  pause = (): void => {};
  output = { write: (text: string): void => this.show(text) };
  private show(text: string): void {
    this.shown += text;
  }
  ask(name: string): Promise<string> {
    const input = this as unknown as NodeJS.ReadStream;
    return readSecretText(name, null, { input, output: this.output as unknown as NodeJS.WritableStream });
  }
}

test("asks at a terminal without echo, and gives the terminal back", async () => {
  const terminal = new Terminal();
  const asked = terminal.ask("discord-token");
  for (const typed of ["wrong", "\u007f\u007f\u007f\u007f\u007f", "right", "\r"]) terminal.emit("data", typed);
  expect(await asked).toBe("right");
  expect(terminal.shown).toBe("discord-token (not shown): \n");
  expect(terminal.rawModes).toEqual([true, false]);
  expect(terminal.listenerCount("data")).toBe(0);
});

test("Ctrl-C at the prompt changes nothing, and a PEM is wanted as a file", async () => {
  const terminal = new Terminal();
  const asked = terminal.ask("discord-token");
  terminal.emit("data", "half\u0003");
  await expect(asked).rejects.toMatchObject({ code: "cancelled" });
  expect(terminal.rawModes).toEqual([true, false]);
  await expect(terminal.ask("github-app-pem")).rejects.toThrow("many lines");
});
