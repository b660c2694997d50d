{ lib, pkgs, config, ... }:
let
  cfg = config.services.clawdinator;
  inherit (lib) mkOption types;
in
{
  options.services.clawdinator = {
    enable = lib.mkEnableOption "a CLAWDINATOR instance";

    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ../package.nix { };
      defaultText = lib.literalExpression "the program of this flake";
      description = "The program that runs.";
    };

    config = mkOption {
      inherit (pkgs.formats.json { }) type;
      default = { };
      example = {
        provider = "aws";
        aws = {
          region = "eu-central-1";
          bucket = "clawdinator-0123456789ab";
        };
      };
      description = ''
        The program's configuration file; definitions are merged deeply. Keys and defaults are in the README of the
        program. It ends up in the world-readable Nix store: name files that hold secrets, never secrets.
      '';
    };

    stateDir = mkOption {
      type = types.strMatching "/var/lib/[A-Za-z0-9_-]+";
      default = "/var/lib/clawd";
      description = "State directory, below /var/lib. Only what can be rebuilt lies here when the fleet is on AWS.";
    };

    uid = mkOption {
      type = types.ints.between 400 60000;
      default = 10001;
      description = "User and group id; the same on every machine, because the shared memory knows files by number.";
    };

    gatewayPort = mkOption {
      type = types.port;
      default = 18789;
      description = "Port of the console, on the loopback.";
    };

    memoryDir = mkOption {
      type = types.strMatching "/.*[^/]";
      default = if cfg.memoryEfs.enable then cfg.memoryEfs.mountPoint else "${cfg.stateDir}/fleet";
      defaultText = lib.literalExpression "the mount point where EFS is on, else `fleet` below the state directory";
      description = "Directory that holds `memory`, `conversations` and `workspaces`.";
    };

    memoryEfs = {
      enable = mkOption {
        type = types.bool;
        default = cfg.memoryEfs.fileSystemId != null;
        defaultText = lib.literalExpression "whether a file system is named";
        description = "Keep memory and conversations on EFS, so that every instance has the same.";
      };
      fileSystemId = mkOption {
        type = types.nullOr (types.strMatching "fs-[0-9a-f]+");
        default = cfg.config.aws.fileSystem or null;
        defaultText = lib.literalExpression "config.aws.fileSystem";
        description = "The EFS file system.";
      };
      region = mkOption {
        type = types.str;
        default = cfg.config.aws.region or "eu-central-1";
        defaultText = lib.literalExpression "config.aws.region";
        description = "AWS region of the file system.";
      };
      mountPoint = mkOption {
        type = types.strMatching "/.*[^/]";
        default = "/memory";
        description = "Where it is mounted.";
      };
    };

    extraPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
      description = "Programs that the instance finds in its PATH.";
    };

    metadataUrl = mkOption {
      type = types.str;
      default = "http://169.254.169.254";
      description = "The instance metadata service (IMDSv2), which tells a machine which instance it is.";
    };
  };
}
