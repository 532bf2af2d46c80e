#!/usr/bin/env bash
# Run a long COMMAND once per settings; its FOLDER is finished when MANIFEST exists:
#   bash scripts/once.sh FOLDER MANIFEST INPUT... -- COMMAND...
# Settings are the words of the command and the content of the inputs, comments apart. Unchanged: a
# finished folder is only touched, an unfinished one is gone on with. Changed: the old folder is set
# aside under a dated name, nothing is deleted. With a folder that make did not make the command itself
# decides: it knows whether that is the same work.
set -euo pipefail

folder=$1
manifest=$2
shift 2
inputs=()
while [ "$1" != -- ]; do
  inputs+=("$1")
  shift
done
shift

settings=$({ printf '%s\n' "$*"; cat /dev/null "${inputs[@]}" | sed -e '/^[[:space:]]*#/d' -e 's/[[:space:]]#.*//'; } | sha256sum | cut -d' ' -f1)
record=outputs/.make/$(printf '%s' "$folder" | tr / _).settings
mkdir -p "$(dirname "$record")"
before=$(cat "$record" 2>/dev/null || true)

if [ -e "$manifest" ] && [ "$before" = "$settings" ]; then
  touch "$manifest"
  exit 0
fi
if [ -e "$folder" ] && [ -n "$before" ] && [ "$before" != "$settings" ]; then
  # The lock that a running training or evaluation holds (src/whisper_qat/runs/locks.py).
  if [ -e "$folder/.lock" ] && command -v flock > /dev/null && ! flock -n "$folder/.lock" true; then
    echo "error: $folder: in use by another process (pid $(cat "$folder/.lock")), with other settings" >&2
    exit 2
  fi
  aside=$folder.before-$(date +%Y%m%d-%H%M%S)
  mv "$folder" "$aside"
  echo "$folder: settings changed; the earlier one is kept as $aside"
fi
mkdir -p "$(dirname "$folder")"
printf '%s\n' "$settings" > "$record"

echo "$*"
status=0
"$@" || status=$?
if [ "$status" -ne 0 ]; then
  echo "$folder: stopped with status $status; run the same command again to go on"
  exit "$status"
fi
# -c: a command that stops early on purpose (--dry_run) leaves no manifest, and none is made here.
touch -c "$manifest"
