#!/usr/bin/env bash
# Run tests with each supported Python on this machine (pythonX.Y on PATH, or pyenv's). Without arguments: the tests of
# the core against the package as installed by `pip install`, once with the oldest packages that pyproject.toml allows
# and once with the newest; without ROS, torch and the source tree.
#
#   scripts/test_pythons.sh                        the core: test/unit and test/fuzz
#   scripts/test_pythons.sh ros                    test/ros and test/faults, after scripts/setup.sh with each Python
#   scripts/test_pythons.sh core test/unit/lite    arguments of pytest instead
#
# PYTHONS="3.10 3.13" and PACKAGES=oldest restrict the run. Environments are created in .cache/pythons.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=$root/.cache/pythons
tools=(pytest\<9 hypothesis motmetrics mypy onnx pi-heif viser urdf-parser-py) # what the core's tests import
declare -A results
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV LD_LIBRARY_PATH AMENT_PREFIX_PATH CMAKE_PREFIX_PATH ROS_DISTRO

main() {
  local kind=${1:-core} version python run failed=0
  case $kind in core | ros) shift || true ;; *) fail "$kind: core or ros" ;; esac
  mkdir -p "$work"
  for version in ${PYTHONS:-3.10 3.11 3.12 3.13}; do
    if python=$(find_python "$version"); then
      "test_$kind" "$version" "$python" "$@"
    else
      results[$version]="NOT TESTED: no python$version on PATH or in pyenv"
    fi
  done
  echo
  while read -r run; do
    echo "$run: ${results[$run]}"
    [[ ${results[$run]} != FAILED* ]] || failed=1
  done < <(printf '%s\n' "${!results[@]}" | sort -V)
  return $failed
}

fail() {
  echo "test_pythons: $1" >&2
  exit 2
}

# A pyenv shim on PATH may not start an interpreter.
find_python() {
  local candidate
  for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
    "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null || continue
    "$candidate" -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)'
    return
  done
  return 1
}

# Tracked files and those that git does not ignore: no build products.
copy_tree() {
  rm -rf "$1"
  mkdir -p "$1"
  (cd "$root" && git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$1")
}

# test_core VERSION PYTHON PYTEST_ARGUMENT...
test_core() {
  local version=$1 python=$2 packages tree venv
  shift 2
  [ $# -gt 0 ] || set -- -m "not slow" test/unit test/fuzz
  for packages in ${PACKAGES:-oldest newest}; do
    tree=$work/$version-$packages venv=$work/$version-$packages/.venv
    echo "== Python $version, $packages packages"
    copy_tree "$tree"
    if install_core "$tree" "$python" "$packages"; then
      report "$version with the $packages packages" run_core "$tree" "$@"
    else
      results["$version with the $packages packages"]="FAILED: cannot be installed"
    fi
  done
}

# `set -e` has no effect in a function called by `if`: hence the chain.
install_core() (
  resolution=highest
  [ "$3" = newest ] || resolution=lowest-direct
  cd "$1" && find_uv && "$uv" venv -q --python "$2" .venv &&
    "$uv" pip compile -q --no-header --no-annotate --python .venv/bin/python --resolution "$resolution" \
      --only-binary :all: pyproject.toml -o pins.txt &&
    "$uv" pip install -q --python .venv/bin/python -r pins.txt "${tools[@]}" && # tools make do with these versions
    "$uv" pip install -q --python .venv/bin/python . &&
    "$uv" pip check -q --python .venv/bin/python &&
    rm -r smplerx_ros # now only the installed package can be imported
)

run_core() (
  cd "$1"
  grep -E '^(av|numpy|onnxruntime|opencv|pyyaml|scipy|tqdm)' pins.txt | paste -sd ' '
  .venv/bin/pytest -q -o pythonpath=test -p no:cacheprovider "${@:2}"
)

# Only uv can resolve to the oldest versions.
find_uv() {
  uv=$(command -v uv) && return
  uv=$work/uv/bin/uv
  [ -x "$uv" ] || { python3 -m venv "$work/uv" && "$work/uv/bin/pip" install -q --disable-pip-version-check uv; }
}

# test_ros VERSION PYTHON PYTEST_ARGUMENT...
test_ros() {
  local version=$1 tree=$work/$1-ros
  echo "== Python $version with ROS"
  copy_tree "$tree"
  if PYTHON=$2 "$tree/scripts/setup.sh"; then
    shift 2
    [ $# -gt 0 ] || set -- -m "not slow" test/ros test/faults
    report "$version with ROS" run_ros "$tree" "$@"
  else
    results["$version with ROS"]="FAILED: cannot be set up"
  fi
}

run_ros() (
  cd "$1"
  # shellcheck source=/dev/null
  source scripts/env.sh
  python -m pytest -q -p no:cacheprovider "${@:2}"
)

# report NAME FUNCTION ARGUMENT...: run, and record the last line of pytest's output.
report() {
  local log state=passed
  log=$(mktemp)
  "${@:2}" 2>&1 | tee "$log" || state=FAILED
  results[$1]="$state: $(tail -n 1 "$log")"
  rm -f "$log"
}

main "$@"
