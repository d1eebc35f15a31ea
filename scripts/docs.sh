#!/usr/bin/env bash
# Build the documentation into out/docs; warnings are errors. Sphinx lives in an environment of its own, .cache/docs,
# which is made anew when requirements/docs.lock changes.
#
#   scripts/docs.sh              HTML: out/docs/index.html
#   scripts/docs.sh linkcheck    follow the links to other sites, too (needs the network)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
builder=${1:-html}
venv=.cache/docs
out=out/docs
[ "$builder" = html ] || out=out/docs-$builder

now=$(sha256sum requirements/docs.lock scripts/docs.sh)
if [ "$(cat "$venv/stamp" 2>/dev/null)" != "$now" ]; then
  echo "docs: installing Sphinx into $venv"
  rm -rf "$venv"
  env -u PYTHONPATH "${PYTHON:-python3}" -m venv "$venv"
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps -r requirements/docs.lock
  echo "$now" > "$venv/stamp"
fi
env -u PYTHONPATH "$venv/bin/python" -m sphinx -b "$builder" -d .cache/doctrees -W --keep-going -n -q docs "$out"
echo "docs: $out/index.html"
