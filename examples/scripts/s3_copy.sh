# Copies to, from or inside S3 with the aws command. The keys go from the
# parameters into a credentials file in the run's own folder: never an argument,
# never a variable.
set -eu
umask 077
params=$OUTRIDER_PARAMS_FILE
get() { jq -r --arg name "$1" '.[$name] // empty' "$params"; }

if [ -n "$(get access_key_id)" ]; then
  jq -r '"[default]",
    "aws_access_key_id = " + .access_key_id,
    "aws_secret_access_key = " + .secret_access_key,
    (.session_token // empty | "aws_session_token = " + .)' "$params" >"$TMPDIR/credentials"
  AWS_SHARED_CREDENTIALS_FILE=$TMPDIR/credentials AWS_PROFILE=default
  export AWS_SHARED_CREDENTIALS_FILE AWS_PROFILE
fi
AWS_PAGER=
export AWS_PAGER

set -- s3 cp "$(get from)" "$(get to)" --no-progress
[ -z "$(get region)" ] || set -- "$@" --region "$(get region)"
[ -z "$(get endpoint_url)" ] || set -- "$@" --endpoint-url "$(get endpoint_url)"
[ "$(get recursive)" != true ] || set -- "$@" --recursive
exec aws "$@"
