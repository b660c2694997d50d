# The hive-mind memory on EFS: NFS through a TLS tunnel, and nothing starts before it is really mounted.
{ lib, pkgs, config, utils, ... }:
let
  cfg = config.services.clawdinator;
  efs = cfg.memoryEfs;
  host = "${if efs.fileSystemId == null then "" else efs.fileSystemId}.efs.${efs.region}.amazonaws.com";
  # Not 2049, which an NFS server of this machine might have.
  tunnelPort = 20490;
  mountUnit = "${utils.escapeSystemdPath efs.mountPoint}.mount";

  tunnel = pkgs.writeText "clawdinator-efs-stunnel.conf" ''
    foreground = yes
    syslog = no
    socket = l:TCP_NODELAY=1
    socket = r:TCP_NODELAY=1

    [efs]
    client = yes
    accept = 127.0.0.1:${toString tunnelPort}
    connect = ${host}:2049
    sslVersionMin = TLSv1.2
    verifyChain = yes
    checkHost = ${host}
    CAfile = /etc/ssl/certs/ca-certificates.crt
    TIMEOUTbusy = 20
    TIMEOUTclose = 0
  '';

  prepare = pkgs.writeShellApplication {
    name = "clawdinator-memory";
    runtimeInputs = [
      pkgs.coreutils
      config.systemd.package
      pkgs.util-linux
    ];
    # A directory that is not mounted would take what instances write, and lose it. Nobody but this unit tries a mount
    # again that failed.
    text = ''
      mountpoint --quiet "$1" || systemctl start "$2"
      mountpoint --quiet "$1"
      install --directory --mode=0700 --owner=clawdinator --group=clawdinator "$1/memory" "$1/conversations" "$1/workspaces"
    '';
  };
in
{
  config = lib.mkIf (cfg.enable && efs.enable) {
    boot.supportedFilesystems = [ "nfs" ];

    systemd.services.clawdinator-efs-stunnel = {
      description = "TLS tunnel to EFS";
      wants = [ "network-online.target" ];
      after = [ "network-online.target" ];
      before = [ mountUnit ];
      startLimitIntervalSec = 0;
      serviceConfig = {
        ExecStart = "${lib.getExe pkgs.stunnel} ${tunnel}";
        Restart = "always";
        RestartSec = 2;
        DynamicUser = true;
        CapabilityBoundingSet = "";
        NoNewPrivileges = true;
        PrivateDevices = true;
        ProtectHome = true;
        ProtectSystem = "strict";
        RestrictAddressFamilies = [
          "AF_INET"
          "AF_INET6"
          "AF_UNIX"
        ];
      };
    };

    systemd.mounts = [
      {
        description = "Hive-mind memory";
        what = "127.0.0.1:/";
        where = efs.mountPoint;
        type = "nfs4";
        # `hard`: a write waits for the network rather than getting lost.
        options = "nfsvers=4.1,port=${toString tunnelPort},rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport,_netdev";
        requires = [ "clawdinator-efs-stunnel.service" ];
        after = [
          "clawdinator-efs-stunnel.service"
          "network-online.target"
        ];
        mountConfig.TimeoutSec = 60;
      }
    ];

    systemd.services.clawdinator-memory = {
      description = "Directories of the hive-mind memory";
      wants = [ mountUnit ];
      after = [ mountUnit ];
      startLimitIntervalSec = 0;
      serviceConfig = {
        Type = "oneshot";
        RemainAfterExit = true;
        ExecStart = "${lib.getExe prepare} ${efs.mountPoint} ${lib.escapeShellArg mountUnit}";
        Restart = "on-failure";
        RestartMode = "direct";
        RestartSec = 5;
        StandardError = "journal+console";
      };
    };

    systemd.services.clawdinator = {
      requires = [ "clawdinator-memory.service" ];
      after = [ "clawdinator-memory.service" ];
      serviceConfig.ReadWritePaths = [ efs.mountPoint ];
    };
  };
}
