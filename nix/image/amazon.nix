# What EC2 needs of a machine, and who may get in: nobody by SSH, maintainers by Session Manager.
{ lib, modulesPath, ... }:
{
  imports = [
    "${modulesPath}/profiles/headless.nix"
    "${modulesPath}/profiles/minimal.nix"
  ];

  boot = {
    initrd.systemd.enable = true;
    initrd.availableKernelModules = [
      "ena"
      "nvme"
      "xen_blkfront"
    ];
    kernelModules = [ "ena" ];
    kernelParams = [
      # The last one becomes /dev/console, which `get-console-output` shows.
      "console=tty0"
      "console=ttyS0,115200n8"
      # EBS has its own retries; a volume that answers late is not a broken one.
      "nvme_core.io_timeout=4294967295"
    ];
    loader = {
      grub.enable = false;
      systemd-boot.enable = true;
      systemd-boot.configurationLimit = 5;
      # The firmware's variables do not survive a new instance; the fallback path in the ESP is what it boots.
      efi.canTouchEfiVariables = false;
      timeout = 1;
    };
    tmp.cleanOnBoot = true;
  };

  networking = {
    # The name comes with DHCP; an instance has its own, from user-data.
    hostName = lib.mkDefault "";
    useDHCP = false;
    useNetworkd = true;
    firewall.enable = true;
    # Amazon's clock, reachable without a route to the internet.
    timeServers = [ "169.254.169.123" ];
  };
  systemd.network = {
    enable = true;
    networks."10-vpc" = {
      matchConfig.Type = "ether";
      networkConfig = {
        DHCP = "yes";
        IPv6AcceptRA = true;
      };
      dhcpV4Config.UseHostname = true;
    };
  };

  services = {
    openssh.enable = lib.mkDefault false;
    amazon-ssm-agent.enable = lib.mkDefault true;
    journald.extraConfig = ''
      SystemMaxUse=500M
    '';
    fstrim.enable = true;
  };

  nix.settings = {
    experimental-features = [
      "nix-command"
      "flakes"
    ];
    trusted-users = [ "root" ];
    # Builds of images must not fill the disk.
    min-free = 1024 * 1024 * 1024;
    max-free = 5 * 1024 * 1024 * 1024;
  };
  nix.gc = {
    automatic = lib.mkDefault true;
    dates = lib.mkDefault "weekly";
    options = lib.mkDefault "--delete-older-than 14d";
  };

  # Small types have little memory, and evaluating a NixOS configuration takes a gigabyte.
  zramSwap.enable = lib.mkDefault true;

  # A machine is what its image says: no passwords, no users made by hand.
  users.mutableUsers = false;
  users.allowNoPasswordLogin = true;
  documentation.enable = lib.mkDefault false;
  time.timeZone = lib.mkDefault "UTC";
  system.stateVersion = "26.05";
}
