#!/usr/bin/env bash
# Resolve requirements/*.in together into requirements/*.lock, for all supported Python versions; docs.in separately,
# because it has its own environment. Requires uv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../requirements"
all=$(mktemp --suffix=.lock)
trap 'rm -f "$all"' EXIT

resolve() {  # resolve OUTPUT INPUT...; pyproject.toml limits it to Linux
  uv pip compile -q --universal --python-version 3.10 --no-header --no-annotate "${@:2}" -o "$1"
}

together=()
for input in *.in; do
  [ "$input" = docs.in ] || together+=("$input")
done
resolve "$all" "${together[@]}"
for input in *.in; do
  lock=${input%.in}.lock
  constraints=(-c "$all")
  [ "$input" != docs.in ] || constraints=()
  rm -f "$lock"
  resolve "$lock" "$input" "${constraints[@]}"
  # Remove platform markers: the platform is always the same.
  sed -i -E -e "s/ and (platform|sys)_[a-z_]+ == '[^']+'//g" -e "s/ (and|;) python_full_version < '3.15'$//" \
    -e "1i # Made by scripts/lock.sh from $input." "$lock"
done
