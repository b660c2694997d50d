# What every machine of this fleet has besides the program: NixOS options of your own. A new image carries them.
{ ... }:
{
  # services.clawdinator.extraPackages = [ pkgs.ripgrep ];
}
