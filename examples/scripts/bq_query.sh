# Runs SQL in BigQuery with the bq command. A service account's key goes from
# the parameters into a file in the run's own folder: never an argument, never a
# variable.
set -eu
umask 077
params=$OUTRIDER_PARAMS_FILE
get() { jq -r --arg name "$1" '.[$name] // empty' "$params"; }

if [ -n "$(get key)" ]; then
  get key >"$TMPDIR/key.json"
  CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE=$TMPDIR/key.json
  export CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE
fi
CLOUDSDK_CORE_DISABLE_PROMPTS=1
export CLOUDSDK_CORE_DISABLE_PROMPTS

set -- --quiet --headless "--project_id=$(get project)" --format=csv
[ -z "$(get location)" ] || set -- "$@" "--location=$(get location)"

status=0
get sql | bq "$@" query --use_legacy_sql=false --max_rows=1000000 >"$TMPDIR/answer" || status=$?
if [ "$status" -ne 0 ]; then
  # bq prints its errors where it prints results, and ends with 1 for all of
  # them: what no retry mends gets a code of its own here.
  cat "$TMPDIR/answer" >&2
  ! grep -Eq 'Syntax error|Unrecognized name|Not found|Access Denied|Already Exists|Flags parsing error' "$TMPDIR/answer" || status=3
  exit "$status"
fi
to=$(get to)
if [ -n "$to" ]; then
  mv "$TMPDIR/answer" "$to"
  jq -nc --arg file "$to" --argjson bytes "$(wc -c <"$to")" '{outrider: 1, output: {file: $file, bytes: $bytes}}' >&3
else
  cat "$TMPDIR/answer"
fi
