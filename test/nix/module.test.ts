/** services.clawdinator, evaluated: units, users, files, and configurations that are refused. */
import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import { parseConfig } from "../../agent/config.ts";
import { collectScripts, evaluateModules, whyNoNix } from "../support/nix.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const missing = whyNoNix();
const modules = ["nix/module/default.nix", "nix/image/default.nix"];

const aws = {
  provider: "aws",
  aws: { region: "eu-west-1", bucket: "clawdinator-test", fileSystem: "fs-0123abcd" },
  fleet: { repository: "https://git.example/fleet.git" },
  program: { repository: "https://git.example/program.git" },
};
const enabled = (options: object = {}): object => ({ services: { clawdinator: { enable: true, ...options } } });

describe.skipIf(missing)(
  missing ? `services.clawdinator, evaluated by nix: ${missing}` : "services.clawdinator, evaluated by nix",
  () => {
    test("a machine finds out who it is before its gateway starts as that instance", async () => {
      const { config, failedAssertions } = await evaluateModules(modules, enabled());
      expect(failedAssertions).toEqual([]);
      const { clawdinator, "clawdinator-identify": identify } = config.systemd.services;
      expect(clawdinator?.requires).toEqual(["clawdinator-identify.service"]);
      expect(clawdinator?.after).toEqual(["network-online.target", "clawdinator-identify.service"]);
      expect(clawdinator?.wantedBy).toEqual(["multi-user.target"]);
      expect(clawdinator?.serviceConfig).toMatchObject({
        EnvironmentFile: `/run/${String(identify?.serviceConfig.RuntimeDirectory)}/identity`,
        Restart: "always",
        StateDirectory: "clawd",
      });
      expect(clawdinator?.serviceConfig.ExecStart).toMatch(
        /\/bin\/clawdinator up --home \/var\/lib\/clawd --config \/etc\/clawdinator\/config\.json --instance \$\{CLAWDINATOR_INSTANCE\}$/,
      );
      expect(identify?.serviceConfig).toMatchObject({ Type: "oneshot", RemainAfterExit: true, RestartMode: "direct" });
      expect(identify?.environment.METADATA_URL).toBe("http://169.254.169.254");
    });

    test("no unit of the service runs as root or may gain rights, but those that prepare the memory and switch the system", async () => {
      const { config } = await evaluateModules(modules, enabled({ config: aws }));
      const units = Object.entries(config.systemd.services).filter(([name]) => name.startsWith("clawdinator"));
      const asRoot = units.filter(
        ([, { serviceConfig: own }]) => own.User !== "clawdinator" && own.DynamicUser !== true,
      );
      expect(asRoot.map(([name]) => name)).toEqual(["clawdinator-memory", "clawdinator-switch@"]);
      for (const [name, { serviceConfig }] of units) {
        if (asRoot.some(([other]) => other === name)) continue;
        expect(serviceConfig, name).toMatchObject({
          NoNewPrivileges: true,
          CapabilityBoundingSet: "",
          ProtectSystem: "strict",
          ProtectHome: true,
        });
      }
    });

    test("the user has the same number on every machine, no shell and no password", async () => {
      const { config } = await evaluateModules(modules, enabled());
      expect(config.users.users.clawdinator).toMatchObject({
        isSystemUser: true,
        uid: 10001,
        group: "clawdinator",
        home: "/var/lib/clawd",
        shell: null,
        hashedPassword: null,
      });
      expect(config.users.groups.clawdinator?.gid).toBe(10001);
    });

    test("the program accepts the configuration file that its options make", async () => {
      const { config } = await evaluateModules(modules, enabled({ config: aws, gatewayPort: 18_800 }));
      const text = config.environment.etc["clawdinator/config.json"]?.source?.text ?? "";
      const parsed = parseConfig(JSON.parse(text), "config.json");
      expect(parsed).toMatchObject({
        ...aws,
        gateway: { port: 18_800 },
        memory: { directory: "/memory/memory" },
        conversations: { directory: "/memory/conversations" },
      });
      const local = await evaluateModules(modules, enabled());
      const localText = local.config.environment.etc["clawdinator/config.json"]?.source?.text ?? "";
      expect(parseConfig(JSON.parse(localText), "config.json")).toMatchObject({
        provider: "local",
        memory: { directory: "/var/lib/clawd/fleet/memory" },
      });
    });

    test("with a file system named, nothing writes to memory before it is mounted over TLS", async () => {
      const { config } = await evaluateModules(modules, enabled({ config: aws }));
      const { services, mounts } = config.systemd;
      expect(mounts).toMatchObject([{ what: "127.0.0.1:/", where: "/memory", type: "nfs4" }]);
      expect(mounts[0]?.requires).toEqual(["clawdinator-efs-stunnel.service"]);
      expect(services["clawdinator-memory"]?.after).toEqual(["memory.mount"]);
      expect(services.clawdinator?.requires).toContain("clawdinator-memory.service");
      expect(services.clawdinator?.after).toContain("clawdinator-memory.service");
      expect(services.clawdinator?.serviceConfig.ReadWritePaths).toEqual(["/memory"]);
      const without = await evaluateModules(modules, enabled());
      expect(without.config.systemd.mounts).toEqual([]);
      expect(without.config.systemd.services["clawdinator-efs-stunnel"]).toBeUndefined();
    });

    test("a switch takes its addresses from the configuration, and is not ended by what it changes", async () => {
      const repositories = {
        fleet: { repository: "git@git.example:me/fleet.git" },
        program: { repository: "/srv/p.git" },
      };
      const { config } = await evaluateModules(modules, enabled({ config: { ...aws, ...repositories } }));
      const unit = config.systemd.services["clawdinator-switch@"];
      expect(unit).toMatchObject({ restartIfChanged: false, stopIfChanged: false });
      expect(unit?.serviceConfig.ExecStart).toMatch(/\/bin\/clawdinator-switch %i$/);
      expect(unit?.environment).toMatchObject({
        FLEET: "git+ssh://git@git.example/me/fleet.git",
        PROGRAM: "git+file:///srv/p.git",
      });
      const local = await evaluateModules(modules, enabled());
      expect(local.config.systemd.services["clawdinator-switch@"]).toBeUndefined();
    });

    test("names the option and the way out when AWS settings are incomplete", async () => {
      const { failedAssertions } = await evaluateModules(
        ["nix/module/default.nix"],
        enabled({ config: { provider: "aws" } }),
      );
      expect(failedAssertions).toHaveLength(3);
      for (const key of ["aws.bucket", "fleet.repository", "program.repository"]) {
        expect(failedAssertions.join("\n")).toContain(`services.clawdinator.config.${key} is missing`);
      }
      expect(failedAssertions[0]).toContain("nix/settings.json");
    });

    test("refuses a misspelt option and a wrong type", async () => {
      await expect(evaluateModules(modules, enabled({ instancName: "x" }))).rejects.toThrow(/instancName/);
      await expect(evaluateModules(modules, enabled({ gatewayPort: "18789" }))).rejects.toThrow(/gatewayPort/);
    });

    test("does nothing until it is enabled", async () => {
      const { config } = await evaluateModules(modules, { services: { clawdinator: { enable: false } } });
      expect(Object.keys(config.systemd.services).filter((name) => name.startsWith("clawdinator"))).toEqual([]);
      expect(config.users.users.clawdinator).toBeUndefined();
    });

    const shellcheck = spawnSync("shellcheck", ["--version"]).status === 0;
    test(`every script of a unit or command ${shellcheck ? "passes" : "is found (there is no"} shellcheck${shellcheck ? "" : ")"}`, async () => {
      const scripts = await collectScripts(temporaryDirectory(), modules, enabled({ config: aws }));
      expect(scripts.map((path) => /([a-z-]+)\.[^/]+\.sh$/.exec(path)?.[1]).sort()).toEqual([
        "clawdinator",
        "clawdinator-identify",
        "clawdinator-memory",
        "clawdinator-switch",
        "register-store-paths",
      ]);
      if (!shellcheck) return;
      const { stdout, status } = spawnSync("shellcheck", scripts, { encoding: "utf8" });
      expect(stdout).toBe("");
      expect(status).toBe(0);
    });
  },
);
