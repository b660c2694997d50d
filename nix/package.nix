# The program as it is: TypeScript that Node runs, beside a link to its dependencies. Node strips no types below a
# `node_modules`, so the program lies outside of one.
{
  lib,
  stdenvNoCC,
  importNpmLock,
  makeBinaryWrapper,
  nodejs_24,
  nodejs-slim_24,
  gitMinimal,
}:
let
  package = lib.importJSON ../package.json;
  lock = lib.importJSON ../package-lock.json;

  # What runs: nothing for development, and not the Node that comes as an optional package, which NixOS cannot run.
  production = removeAttrs package [
    "devDependencies"
    "optionalDependencies"
    "scripts"
  ];

  # The lock file leaves out addresses, so that any registry can serve it; the hashes in it decide what is accepted.
  withAddress =
    path: entry:
    let
      name = entry.name or (lib.last (lib.splitString "node_modules/" path));
      file = lib.last (lib.splitString "/" name);
    in
    { resolved = "https://registry.npmjs.org/${name}/-/${file}-${entry.version}.tgz"; } // entry;

  isForProduction = _path: entry: !(entry.dev or false || entry.optional or false || entry.devOptional or false);

  dependencies = importNpmLock.buildNodeModules {
    nodejs = nodejs_24;
    package = production;
    packageLock = lock // {
      packages =
        lib.mapAttrs withAddress (lib.filterAttrs isForProduction (removeAttrs lock.packages [ "" ]))
        // {
          "" = removeAttrs lock.packages."" [
            "devDependencies"
            "optionalDependencies"
          ];
        };
    };
  };
in
stdenvNoCC.mkDerivation {
  pname = "clawdinator";
  inherit (package) version;

  src = lib.fileset.toSource {
    root = ../.;
    fileset = lib.fileset.unions [
      ../agent
      ../memory
      ../tools
      ../workspace
      ../nix/image/boot-mode
      ../nix/templates
      (lib.fileset.maybeMissing ../bootstrap)
      (lib.fileset.maybeMissing ../tofu)
      ../package.json
      ../package-lock.json
    ];
  };

  nativeBuildInputs = [ makeBinaryWrapper ];
  dontConfigure = true;
  dontBuild = true;

  installPhase = ''
    runHook preInstall
    mkdir -p $out/lib/clawdinator $out/bin
    cp -r . $out/lib/clawdinator
    ln -s ${dependencies}/node_modules $out/lib/clawdinator/node_modules
    makeWrapper ${nodejs-slim_24}/bin/node $out/bin/clawdinator \
      --add-flags --disable-warning=ExperimentalWarning \
      --add-flags $out/lib/clawdinator/agent/main.ts \
      --prefix PATH : ${lib.makeBinPath [ gitMinimal ]}
    runHook postInstall
  '';

  passthru = { inherit dependencies; };

  meta = {
    inherit (package) description;
    license = lib.licenses.mit;
    mainProgram = "clawdinator";
    platforms = lib.platforms.linux;
  };
}
