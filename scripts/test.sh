#!/usr/bin/env bash
# Run the tests in two parts at once: those that wait for processes and messages, shown as they go, and on idle cores
# those that compute, shown at the end. Arguments are pytest's.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SMPLERX_TEST_FILES=$(mktemp -d) # what both parts need is made once, there
export SMPLERX_TEST_FILES
log=$SMPLERX_TEST_FILES/log
trap 'kill "$(jobs -p)" 2>/dev/null; rm -rf "$SMPLERX_TEST_FILES"' EXIT

export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 # each core has a process already
unset PYTHONDONTWRITEBYTECODE # else each of hundreds of processes compiles the package

# Files are distributed over processes; the tests of a file run in order in one of them, with one set of fixtures.
pytest=(python -m pytest -p no:cacheprovider --dist loadfile)
cores=$(nproc)

# The scheduling policy that the node's drawing has too: so that pictures are not delayed by what computes.
chrt --idle 0 "${pytest[@]}" -n "$((cores < 4 ? cores : 4))" test/unit test/fuzz test/test_*.py "$@" >"$log" 2>&1 &
computing=$!
"${pytest[@]}" -n "$((cores < 4 ? cores + 1 : 5))" test/faults test/ros test/soak "$@"
failed=$?
echo "The other part of the tests, which ran at the same time:"
wait "$computing" || failed=$?
cat "$log"
exit "$failed"
