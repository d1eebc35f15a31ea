#!/usr/bin/env bash
# Build the mounted sources beside the image's own build, linked, and source them in each terminal.
set -eo pipefail
cd /ws
# shellcheck source=/dev/null
source "/opt/ros/$ROS_DISTRO/setup.bash"
colcon build --packages-select smplerx_ros --symlink-install --build-base build-dev --install-base install-dev
echo "source /ws/install-dev/setup.bash" >> ~/.bashrc
