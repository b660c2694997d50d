# A NixOS machine on EC2, and its disk image for EBS. There is no bot in it: any service can be added.
{
  imports = [
    ./amazon.nix
    ./disk.nix
    ./store-database.nix
  ];
}
