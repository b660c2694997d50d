# clawdinator-identify finds out which instance this machine is; clawdinator is its gateway, which runs the mind.
{ lib, pkgs, config, ... }:
let
  cfg = config.services.clawdinator;

  identify = pkgs.writeShellApplication {
    name = "clawdinator-identify";
    runtimeInputs = [
      pkgs.coreutils
      pkgs.curl
      pkgs.jq
    ];
    text = builtins.readFile ./identify.sh;
  };

  # What neither unit needs. No MemoryDenyWriteExecute: a JavaScript engine writes code.
  confined = {
    User = "clawdinator";
    Group = "clawdinator";
    StateDirectory = lib.removePrefix "/var/lib/" cfg.stateDir;
    StateDirectoryMode = "0700";
    UMask = "0077";
    CapabilityBoundingSet = "";
    LockPersonality = true;
    NoNewPrivileges = true;
    PrivateDevices = true;
    PrivateTmp = true;
    ProtectClock = true;
    ProtectControlGroups = true;
    ProtectHome = true;
    ProtectHostname = true;
    ProtectKernelLogs = true;
    ProtectKernelModules = true;
    ProtectKernelTunables = true;
    ProtectProc = "invisible";
    ProtectSystem = "strict";
    RestrictNamespaces = true;
    RestrictRealtime = true;
    RestrictSUIDSGID = true;
    SystemCallArchitectures = "native";
    SystemCallFilter = [
      "@system-service"
      "~@privileged"
    ];
    # A refused call is an error that the program can tell of, not its death.
    SystemCallErrorNumber = "EPERM";
    # The serial console is what EC2 shows of a machine that nobody can log in to.
    StandardError = "journal+console";
  };
in
{
  config = lib.mkIf cfg.enable {
    systemd.services.clawdinator-identify = {
      description = "Find out which CLAWDINATOR instance this machine is";
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      startLimitIntervalSec = 0;
      environment.METADATA_URL = cfg.metadataUrl;
      serviceConfig = confined // {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = lib.getExe identify;
        RuntimeDirectory = "clawdinator";
        RuntimeDirectoryMode = "0700";
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
        # Who waits for it goes on waiting while it is tried again.
        Restart = "on-failure";
        RestartMode = "direct";
        RestartSec = 5;
        TimeoutStartSec = 120;
      };
    };

    systemd.services.clawdinator = {
      description = "CLAWDINATOR gateway";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ];
      requires = [ "clawdinator-identify.service" ];
      after = [
        "network-online.target"
        "clawdinator-identify.service"
      ];
      # It tries for as long as it takes: a machine that gave up would have to be replaced by hand.
      startLimitIntervalSec = 0;
      path = [
        config.nix.package
        pkgs.gitMinimal
        pkgs.openssh
      ]
      ++ cfg.extraPackages;
      environment = {
        CLAWDINATOR_HOME = cfg.stateDir;
        HOME = cfg.stateDir;
        NODE_COMPILE_CACHE = "/var/cache/clawdinator/compile";
        XDG_CACHE_HOME = "/var/cache/clawdinator";
      };
      restartTriggers = [ config.environment.etc."clawdinator/config.json".source ];
      serviceConfig = confined // {
        # Secret files, on a tmpfs; they outlast a restart, so that a mind keeps its keys meanwhile.
        RuntimeDirectory = "agenix";
        RuntimeDirectoryMode = "0700";
        RuntimeDirectoryPreserve = true;
        EnvironmentFile = "/run/clawdinator/identity";
        ExecStart = lib.concatStringsSep " " [
          (lib.getExe cfg.package)
          "up"
          "--home ${cfg.stateDir}"
          "--config /etc/clawdinator/config.json"
          "--instance \${CLAWDINATOR_INSTANCE}"
        ];
        CacheDirectory = "clawdinator";
        CacheDirectoryMode = "0700";
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_NETLINK"
          "AF_UNIX"
        ];
        # The gateway ends its mind in order; what is left after that is ended by force.
        KillMode = "mixed";
        TimeoutStopSec = 60;
        Restart = "always";
        RestartSec = 1;
        RestartSteps = 5;
        RestartMaxDelaySec = 60;
        OOMPolicy = "continue";
      };
    };
  };
}
