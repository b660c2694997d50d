# The image's store paths as Nix' database must know them, or `nix` on the machine would neither find nor keep them.
{ lib, pkgs, config, ... }:
let
  inherit (config.system.build) toplevel;
  registration = "/nix-path-registration";
  register = pkgs.writeShellApplication {
    name = "register-store-paths";
    runtimeInputs = [
      config.nix.package
      pkgs.coreutils
    ];
    text = ''
      # Both are safe to repeat; the file goes last, so that a boot that is cut short does it again.
      nix-store --load-db < ${registration}
      nix-env --profile /nix/var/nix/profiles/system --set "$(readlink -f /run/current-system)"
      touch /etc/NIXOS
      rm ${registration}
    '';
  };
in
{
  image.repart.partitions."20-root".contents.${registration}.source =
    "${pkgs.closureInfo { rootPaths = [ toplevel ]; }}/registration";

  systemd.services.register-store-paths = {
    description = "Tell Nix what the image brought along";
    unitConfig.ConditionPathExists = registration;
    wantedBy = [ "multi-user.target" ];
    before = [ "nix-daemon.service" ];
    serviceConfig = {
      Type = "oneshot";
      RemainAfterExit = true;
      ExecStart = lib.getExe register;
    };
  };
}
