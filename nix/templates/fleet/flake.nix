{
  description = "A fleet of CLAWDINATOR instances";

  # The program; `npm run bootstrap` puts its address here. `nix flake update clawdinator` moves the pin in flake.lock.
  inputs.clawdinator.url = "github:openclaw/clawdinator";

  # The machine is nix/settings.json and nix/host.nix.
  outputs = { clawdinator, ... }: clawdinator.lib.mkFleet { fleet = ./.; };
}
