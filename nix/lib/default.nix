# Hosts and images made from modules; `modules` are those that every host has, `packages` the program's, by system.
{
  nixpkgs,
  modules,
  packages,
}:
let
  inherit (nixpkgs) lib;
  defaultSystem = "x86_64-linux";
in
rec {
  # A NixOS host of the fleet. `settings` is the program's configuration, as in nix/settings.json of a fleet repository.
  mkHost =
    {
      system ? defaultSystem,
      settings ? { },
      extraModules ? [ ],
    }:
    lib.nixosSystem {
      inherit system;
      modules =
        modules
        ++ [
          {
            services.clawdinator = {
              enable = true;
              config = settings;
            };
          }
        ]
        ++ extraModules;
    };

  # The raw disk image of such a host, for EBS. Its attributes `bootMode` and `architecture` say how to register it.
  mkImage = arguments: (mkHost arguments).config.system.build.amiImage;

  # What the fleet whose repository lies at `fleet` consists of. Refuses settings that name no AWS account: their image
  # could join no fleet. Also for whoever has program and fleet at two commits and no flake that ties them:
  # `(builtins.getFlake PROGRAM).lib.mkFleet { fleet = builtins.fetchGit { … }; }`.
  mkFleet =
    { fleet }:
    let
      settings = lib.importJSON (fleet + "/nix/settings.json");
      ownModule = fleet + "/nix/host.nix";
      needSettings = lib.throwIf (settings.provider or "local" != "aws") ''
        nix/settings.json says nothing of AWS, so instances of this image could not find their fleet.
        `npm run bootstrap` in a checkout of the program fills it in; docs/deploy.md there is the guide.
      '';
      host = needSettings (mkHost {
        inherit settings;
        extraModules = lib.optional (builtins.pathExists ownModule) ownModule;
      });
    in
    {
      # One configuration for all: who a machine is, it finds out at boot.
      nixosConfigurations.clawdinator = host;
      packages.${defaultSystem} = {
        inherit (packages.${defaultSystem}) clawdinator;
        default = packages.${defaultSystem}.clawdinator;
        image = host.config.system.build.amiImage;
      };
    };
}
