# Builds the fleet's machine with the program at commit $1, then activates it. FLEET and PROGRAM (flake addresses), STATE
# (the state directory), PROFILE, IDENTITY and LOCK come from the unit. Nothing is touched before the build has succeeded.

revision=$1
if ! [[ $revision =~ ^[0-9a-f]{40}$ ]]; then
  echo "clawdinator-switch: $revision is not a full commit id" >&2
  exit 1
fi

# Another switch at the same time would activate one thing and write down another.
exec 9>"$LOCK"
flock 9

system=$(nix build --no-link --print-out-paths --no-write-lock-file \
  --override-input clawdinator "$PROGRAM?rev=$revision" \
  "$FLEET?ref=main#nixosConfigurations.clawdinator.config.system.build.toplevel")

# shellcheck source=/dev/null
. "$IDENTITY"
spec=$STATE/instances/$CLAWDINATOR_INSTANCE/instance.json

old_system=$(readlink -f "$PROFILE")
old_revision=$(jq --raw-output .revision "$spec")

# Says of this machine which revision it runs; the gateway reads it when it starts.
write_revision() {
  jq --arg revision "$1" '.revision = $revision' "$spec" >"$spec.new" &&
    chown --reference="$spec" "$spec.new" &&
    chmod --reference="$spec" "$spec.new" &&
    sync "$spec.new" &&
    mv "$spec.new" "$spec"
}

# Chained, because bash ends nothing by itself within a condition.
activate() {
  write_revision "$2" &&
    nix-env --profile "$PROFILE" --set "$1" &&
    "$1/bin/switch-to-configuration" switch &&
    systemctl restart clawdinator.service
}

if ! activate "$system" "$revision"; then
  echo "clawdinator-switch: $revision could not be activated; going back to $old_revision" >&2
  activate "$old_system" "$old_revision" || echo "clawdinator-switch: going back failed, too" >&2
  exit 1
fi
echo "clawdinator-switch: this machine runs $revision" >&2
