# Source me from bash: a shell with the virtual environment, ROS 2 and this package, after `make setup`.
smplerx_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -f "$smplerx_root/.venv/workspace.stamp" ]; then
  case $- in *u*) smplerx_nounset=1 ;; *) smplerx_nounset= ;; esac
  set +u
  . "$smplerx_root/.venv/bin/activate"
  . "$smplerx_root/.venv/ros.sh"
  . "$smplerx_root/.venv/local_setup.bash"
  export PYTHONPATH="$smplerx_root${PYTHONPATH:+:$PYTHONPATH}"  # the source tree, before its installed copy
  [ -z "$smplerx_nounset" ] || set -u
  unset smplerx_root smplerx_nounset
else
  echo "Not set up yet: run 'make setup' in $smplerx_root" >&2
  unset smplerx_root
  false
fi
