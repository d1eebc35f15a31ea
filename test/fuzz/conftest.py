"""How long to fuzz: SMPLERX_FUZZ_EXAMPLES for each test, a hundred by default."""

from __future__ import annotations

import os
from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("rclpy") else ["test_messages.py"]

if find_spec("hypothesis"):
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "fuzz",
        max_examples=int(os.environ.get("SMPLERX_FUZZ_EXAMPLES", "100")),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
    )
