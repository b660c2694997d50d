# Finds out which instance this machine is, from its user-data, and writes that down where the gateway looks.
# STATE_DIRECTORY and RUNTIME_DIRECTORY come from systemd, METADATA_URL from the unit. A reboot changes nothing: what
# was written at the first boot stays.

fail() {
  printf 'clawdinator-identify: %s\n' "$@" >&2
  exit 1
}

# The metadata service can be late at boot; a wrong answer (4xx) is not retried.
metadata() {
  curl --silent --show-error --fail --connect-timeout 2 --max-time 10 --retry 30 --retry-delay 1 --retry-connrefused \
    --noproxy '*' "$@"
}

token=$(metadata --request PUT --header 'X-aws-ec2-metadata-token-ttl-seconds: 300' "$METADATA_URL/latest/api/token") ||
  fail "the instance metadata service at $METADATA_URL gave no token" \
    "is IMDSv2 enabled for this instance (launch template: HttpEndpoint=enabled, HttpTokens=required)?"

# The token goes through a file descriptor: arguments are visible to every process.
user_data=$(metadata --header @<(printf 'X-aws-ec2-metadata-token: %s\n' "$token") "$METADATA_URL/latest/user-data") ||
  fail "this machine has no user-data, so it cannot know which instance it is" \
    "launch it by the fleet (clawdinator ask \"spawn a sibling\") or by npm run bootstrap"

# Only what a fleet writes is taken; everything else in the user-data is dropped. `$` would match before a last newline.
spec=$(jq --exit-status --slurp '
  def is_text(pattern): type == "string" and test("\\A" + pattern + "\\z");
  select(length == 1) | .[0]
  | select(type == "object" and .formatVersion == 1)
  | select(.instance | is_text("i-[A-Za-z0-9]{1,64}"))
  | select(.name | is_text("[A-Za-z0-9][A-Za-z0-9-]{0,62}"))
  | select(.image | is_text("[A-Za-z0-9][A-Za-z0-9._-]{0,127}"))
  | select(.revision | is_text("[A-Za-z0-9][A-Za-z0-9._-]{0,127}"))
  | select(.port | . == null or (type == "number" and . == floor and . >= 1 and . <= 65535))
  | { formatVersion, instance, name, image, revision, port, candidate: true }
' <<<"$user_data") ||
  fail "the user-data of this machine is not that of an instance (format version 1)" \
    "was it launched by a newer version of the program? then launch it from an image of that version"

instance=$(jq --raw-output .instance <<<"$spec")
directory=$STATE_DIRECTORY/instances/$instance
umask 077
mkdir -p "$directory/run" "$directory/logs"
if [ ! -e "$directory/instance.json" ]; then
  printf '%s\n' "$spec" >"$directory/.instance.json.new"
  sync "$directory/.instance.json.new"
  mv "$directory/.instance.json.new" "$directory/instance.json"
  sync "$directory"
fi

printf 'CLAWDINATOR_INSTANCE=%s\n' "$instance" >"$RUNTIME_DIRECTORY/identity.new"
mv "$RUNTIME_DIRECTORY/identity.new" "$RUNTIME_DIRECTORY/identity"
printf 'clawdinator-identify: this is %s, for %s\n' "$instance" "$(jq --raw-output .name <<<"$spec")" >&2
