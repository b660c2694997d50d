# The disk as systemd-repart makes it, without a virtual machine: an EFI partition and a root that takes all the space
# of its volume at the first boot. Boot mode and layout belong together: boot-mode is what the AMI is registered with.
{ lib, pkgs, config, modulesPath, ... }:
let
  inherit (config.system.build) toplevel;
  efiArchitecture = if pkgs.stdenv.hostPlatform.isAarch64 then "aa64" else "x64";
  loader = "${pkgs.systemd}/lib/systemd/boot/efi/systemd-boot${efiArchitecture}.efi";
  rootLabel = "nixos";
  espLabel = "ESP";

  # Named as NixOS names its first generation, so that a later switch takes the entry over.
  esp = pkgs.runCommand "clawdinator-esp" { } ''
    mkdir -p $out/EFI/BOOT $out/EFI/systemd $out/EFI/nixos $out/loader/entries
    cp ${loader} $out/EFI/BOOT/BOOT${lib.toUpper efiArchitecture}.EFI
    cp ${loader} $out/EFI/systemd/systemd-boot${efiArchitecture}.efi
    cp -L ${toplevel}/kernel $out/EFI/nixos/kernel.efi
    cp -L ${toplevel}/initrd $out/EFI/nixos/initrd.efi
    cat > $out/loader/loader.conf <<CONF
    timeout ${toString config.boot.loader.timeout}
    default nixos-*
    CONF
    cat > $out/loader/entries/nixos-generation-1.conf <<CONF
    title NixOS
    version Generation 1
    linux /EFI/nixos/kernel.efi
    initrd /EFI/nixos/initrd.efi
    options init=${toplevel}/init $(cat ${toplevel}/kernel-params)
    CONF
  '';

  # As EC2 calls them.
  facts = {
    bootMode = lib.fileContents ./boot-mode;
    architecture = if pkgs.stdenv.hostPlatform.isAarch64 then "arm64" else "x86_64";
  };
in
{
  imports = [ "${modulesPath}/image/repart.nix" ];

  config = {
    image.repart = {
      name = "clawdinator";
      partitions = {
        "10-esp" = {
          contents = {
            "/EFI".source = "${esp}/EFI";
            "/loader".source = "${esp}/loader";
          };
          repartConfig = {
            Type = "esp";
            Format = "vfat";
            Label = espLabel;
            # Kernel and initrd of five generations; empty blocks are neither sent nor paid for.
            SizeMinBytes = "512M";
            SizeMaxBytes = "512M";
          };
        };
        "20-root" = {
          storePaths = [ toplevel ];
          repartConfig = {
            Type = "root";
            Format = "ext4";
            Label = rootLabel;
            Minimize = "guess";
          };
        };
      };
    };

    fileSystems = {
      "/" = {
        device = "/dev/disk/by-partlabel/${rootLabel}";
        fsType = "ext4";
        autoResize = true;
      };
      "/boot" = {
        device = "/dev/disk/by-partlabel/${espLabel}";
        fsType = "vfat";
        options = [
          "fmask=0077"
          "dmask=0077"
        ];
      };
    };

    # At boot the partition grows to the volume's end, then `autoResize` grows the file system in it.
    boot.initrd.systemd.repart.enable = true;
    systemd.repart.partitions."20-root".Type = "root";

    # The builder's own output, and beside it what registering needs to know. Nothing of that needs a build to be read.
    system.build.amiImage = config.system.build.image // {
      inherit facts;
      inherit (facts) bootMode architecture;
    };
  };
}
