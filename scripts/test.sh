#!/usr/bin/env bash
# Run the tests in two concurrent parts: those that wait for processes and messages, with live output, and at idle
# priority those that compute, whose output follows at the end. Arguments are passed to pytest.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
SMPLERX_TEST_FILES=$(mktemp -d) # files that both parts need are created there once
export SMPLERX_TEST_FILES
log=$SMPLERX_TEST_FILES/log
trap 'kill "$(jobs -p)" 2>/dev/null; rm -rf "$SMPLERX_TEST_FILES"' EXIT

cores=$(nproc) # nproc honours OMP_NUM_THREADS, so this comes first
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 # each core has a process already
unset PYTHONDONTWRITEBYTECODE # else each of hundreds of processes compiles the package

# Files are distributed over processes; the tests of a file run in order in one of them, with one set of fixtures.
pytest=(python -m pytest -p no:cacheprovider --dist loadfile)

# The node's drawing process has the same scheduling policy, so that it is not delayed by these tests.
chrt --idle 0 "${pytest[@]}" -n "$((cores < 4 ? cores : 4))" test/unit test/fuzz test/test_*.py "$@" >"$log" 2>&1 &
computing=$!
"${pytest[@]}" -n "$((cores < 4 ? cores + 1 : 5))" test/faults test/ros test/soak "$@"
failed=$?
echo "Output of the other part, which ran concurrently:"
wait "$computing" || failed=$?
cat "$log"
exit "$failed"
