# Runs SQL with psql. The password goes from the parameters into a password file
# in the run's own folder: never an argument, never a variable.
set -eu
umask 077
params=$OUTRIDER_PARAMS_FILE
get() { jq -r --arg name "$1" '.[$name] // empty' "$params"; }

# host:port:database:user:password, where \ and : need a \ before them.
jq -r '"*:*:*:*:" + ((.password // "") | gsub("(?<c>[\\\\:])"; "\\" + .c))' "$params" >"$TMPDIR/pgpass"

PGPASSFILE=$TMPDIR/pgpass
PGHOST=$(get host) PGPORT=$(get port) PGDATABASE=$(get database) PGUSER=$(get user)
PGAPPNAME="outrider $OUTRIDER_RUN_ID"
PGCONNECT_TIMEOUT=10
export PGPASSFILE PGHOST PGPORT PGDATABASE PGUSER PGAPPNAME PGCONNECT_TIMEOUT

to=$(get to)
# Without ON_ERROR_STOP psql ends with 0 whatever went wrong. The exit code of a
# pipe is that of its last command.
get sql | psql --no-psqlrc --no-password --quiet --csv \
  --set ON_ERROR_STOP=1 --set VERBOSITY=terse --file - --output "${to:-/dev/stdout}"

if [ -n "$to" ]; then
  jq -nc --arg file "$to" --argjson bytes "$(wc -c <"$to")" '{outrider: 1, output: {file: $file, bytes: $bytes}}' >&3
fi
