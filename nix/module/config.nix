# What the options mean: the configuration file, the user, and combinations that cannot work.
{ lib, pkgs, config, ... }:
let
  cfg = config.services.clawdinator;
  isAws = (cfg.config.provider or "local") == "aws";
  needed = path: {
    assertion = !isAws || lib.hasAttrByPath path cfg.config;
    message = "services.clawdinator.config.${lib.concatStringsSep "." path} is missing, and `provider = \"aws\"` needs it: set it in nix/settings.json of the fleet repository (`npm run bootstrap` does).";
  };

  # In a session on the machine: speaks to its instance, as the user whose state it is.
  commandLine = pkgs.writeShellApplication {
    name = "clawdinator";
    text = ''
      export CLAWDINATOR_HOME=${cfg.stateDir} CLAWDINATOR_CONFIG=/etc/clawdinator/config.json
      if [ "$(id --user --name)" = clawdinator ]; then
        exec ${lib.getExe cfg.package} "$@"
      fi
      keep=CLAWDINATOR_HOME,CLAWDINATOR_CONFIG,CLAWDINATOR_TOKEN
      exec sudo --user=clawdinator --preserve-env="$keep" -- ${lib.getExe cfg.package} "$@"
    '';
  };
in
{
  config = lib.mkIf cfg.enable {
    assertions = [
      (needed [ "aws" "bucket" ])
      (needed [ "fleet" "repository" ])
      (needed [ "program" "repository" ])
      {
        assertion = !cfg.memoryEfs.enable || cfg.memoryEfs.fileSystemId != null;
        message = "services.clawdinator.memoryEfs.enable is on without a file system: set services.clawdinator.memoryEfs.fileSystemId, or turn it off.";
      }
    ];

    services.clawdinator.config = {
      gateway.port = lib.mkDefault cfg.gatewayPort;
      memory.directory = lib.mkDefault "${cfg.memoryDir}/memory";
      conversations.directory = lib.mkDefault "${cfg.memoryDir}/conversations";
    };

    environment.etc."clawdinator/config.json".source =
      (pkgs.formats.json { }).generate "clawdinator-config.json" cfg.config;

    environment.systemPackages = [ commandLine ];

    users.users.clawdinator = {
      isSystemUser = true;
      inherit (cfg) uid;
      group = "clawdinator";
      home = cfg.stateDir;
    };
    users.groups.clawdinator.gid = cfg.uid;
  };
}
