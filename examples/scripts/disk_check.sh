# Checks that a file system has room left.
set -eu
params=$(cat) # one JSON object on stdin

path=$(printf '%s' "$params" | jq -r .path)
want=$(printf '%s' "$params" | jq -r '.min_free_percent // 10')

if ! [ -e "$path" ]; then
  echo "no such file or folder: $path" >&2
  exit 3
fi
used=$(df -P -- "$path" | awk 'NR == 2 { sub("%", "", $5); print $5 }')
free=$((100 - used))
echo "$path: $free% free, at least $want% wanted"

# What happens on descriptor 3 is JSON, one object a line.
jq -nc --argjson free "$free" '{outrider: 1, output: {free_percent: $free}}' >&3
if [ "$free" -lt "$want" ]; then
  jq -nc --arg text "only $free% free on $path" '{outrider: 1, error: {code: "disk_full", message: $text}}' >&3
  exit 1
fi
