"""For all tests: a ROS graph of their own, on this machine only."""

from __future__ import annotations

import os
import random

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Domains up to 101 leave room for the ports of every participant on Linux (ROS 2 documentation, "The ROS_DOMAIN_ID").
os.environ["ROS_DOMAIN_ID"] = str(random.SystemRandom().randint(1, 101))
