# services.clawdinator: one CLAWDINATOR instance on this machine.
{
  imports = [
    ./options.nix
    ./config.nix
    ./units.nix
    ./efs.nix
    ./switch.nix
  ];
}
