{
  description = "CLAWDINATOR: a maintainer bot that provisions its own fleet; NixOS on AWS without a hand on the machine";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forEachSystem = make: lib.genAttrs systems (system: make system nixpkgs.legacyPackages.${system});
      hosts = import ./nix/lib {
        inherit nixpkgs;
        modules = [ self.nixosModules.default ];
        inherit (self) packages;
      };
    in
    {
      nixosModules = {
        # The service, for any NixOS machine.
        clawdinator = ./nix/module;
        # NixOS for EC2 with no bot in it.
        aws-image = ./nix/image;
        default = {
          imports = [
            ./nix/module
            ./nix/image
          ];
        };
      };

      lib = hosts;

      packages = forEachSystem (
        system: pkgs: {
          clawdinator = pkgs.callPackage ./nix/package.nix { };
          default = self.packages.${system}.clawdinator;
          # An image without a fleet's settings: its instances keep a fleet of one on their own disk.
          image = hosts.mkImage { inherit system; };
        }
      );

      checks = forEachSystem (
        system: _pkgs: { host = (hosts.mkHost { inherit system; }).config.system.build.toplevel; }
      );

      devShells = forEachSystem (
        _system: pkgs: {
          default = pkgs.mkShell {
            packages = [
              pkgs.awscli2
              pkgs.gh
              pkgs.git
              pkgs.jq
              pkgs.nodejs_24
              pkgs.opentofu
              pkgs.shellcheck
              pkgs.ssm-session-manager-plugin
            ];
          };
        }
      );

      formatter = forEachSystem (_system: pkgs: pkgs.nixfmt-tree);

      templates.fleet = {
        path = ./nix/templates/fleet;
        description = "A fleet of one's own: desired instances, policy, AWS settings, and the workflow that builds its image";
      };
      templates.default = self.templates.fleet;
    };
}
