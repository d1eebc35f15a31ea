#!/usr/bin/env bash
# Run the tests in two parts at once: those that wait for processes and messages, shown as they go, and at low priority
# those that compute, shown at the end. Arguments are pytest's.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
log=$(mktemp)
trap 'rm -f "$log"; kill "$(jobs -p)" 2>/dev/null' EXIT

nice -n 19 python -m pytest -p no:cacheprovider test/unit test/fuzz test/test_*.py "$@" >"$log" 2>&1 &
computing=$!
python -m pytest test/faults test/ros test/soak "$@"
failed=$?
echo "The other part of the tests, which ran at the same time:"
wait "$computing" || failed=$?
cat "$log"
exit "$failed"
