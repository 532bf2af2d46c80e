#!/usr/bin/env bash
# Rewrite FILE only when its words differ, so that make sees a changed command line as a changed file:
#   bash scripts/keep.sh outputs/.make/train-qat-int8.args --num_epochs 3
set -euo pipefail
file=$1
shift
mkdir -p "$(dirname "$file")"
if [ "$(cat "$file" 2>/dev/null)" != "$*" ] || [ ! -e "$file" ]; then
  printf '%s\n' "$*" > "$file"
fi
