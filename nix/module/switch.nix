# clawdinator-switch@REVISION: brings this machine to another commit of the program without a new machine. It runs as
# root and takes nothing but a full commit id; the addresses come from the configuration that the machine was built with.
{ lib, pkgs, config, ... }:
let
  cfg = config.services.clawdinator;

  # An address as people write it for git, as Nix takes it.
  toFlake =
    address:
    let
      scp = builtins.match "([^/:]+@[^/:]+):(.*)" address;
    in
    if scp != null then
      "git+ssh://${lib.concatStringsSep "/" scp}"
    else if lib.hasPrefix "/" address then
      "git+file://${address}"
    else if lib.hasPrefix "git+" address then
      address
    else
      "git+${address}";

  switch = pkgs.writeShellApplication {
    name = "clawdinator-switch";
    runtimeInputs = [
      config.nix.package
      config.systemd.package
      pkgs.coreutils
      pkgs.gitMinimal
      pkgs.jq
      pkgs.openssh
      pkgs.util-linux
    ];
    text = builtins.readFile ./switch.sh;
  };
in
{
  config =
    lib.mkIf (cfg.enable && lib.hasAttrByPath [ "fleet" "repository" ] cfg.config && lib.hasAttrByPath [ "program" "repository" ] cfg.config)
      {
        systemd.services."clawdinator-switch@" = {
          description = "Switch this machine to commit %i of the program";
          wants = [ "network-online.target" ];
          after = [ "network-online.target" ];
          # The switch changes units, this one too, and must not be ended by that.
          restartIfChanged = false;
          stopIfChanged = false;
          unitConfig.X-StopOnRemoval = false;
          environment = {
            FLEET = toFlake cfg.config.fleet.repository;
            PROGRAM = toFlake cfg.config.program.repository;
            STATE = cfg.stateDir;
            PROFILE = "/nix/var/nix/profiles/system";
            IDENTITY = "/run/clawdinator/identity";
            LOCK = "/run/clawdinator-switch.lock";
            HOME = "/root";
          };
          serviceConfig = {
            Type = "oneshot";
            ExecStart = "${lib.getExe switch} %i";
            TimeoutStartSec = "1h";
            StandardError = "journal+console";
          };
        };
      };
}
