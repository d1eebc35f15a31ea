"""The node of the fault suite, or (SOAK_BACKEND=lite) the package's own; writes what it holds into SOAK_COUNTS."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from faulty_node import FaultyEstimator, prepare

PERIOD_S = 0.5


def write_counts(nodes: list[Any], path: Path) -> None:
    if not nodes:
        return
    node = nodes[0]
    counts = {name: len(list(getattr(node, name))) for name in ("publishers", "subscriptions", "timers", "services")}
    path.with_suffix(".new").write_text(json.dumps(counts))
    path.with_suffix(".new").replace(path)


if __name__ == "__main__":
    from smplerx_ros.ros.node.main import main
    from smplerx_ros.ros.node.watchdog import PeriodicThread

    made = prepare()
    PeriodicThread(PERIOD_S, lambda: write_counts(made, Path(os.environ["SOAK_COUNTS"])), "soak_counts")
    factory = None if os.environ.get("SOAK_BACKEND") == "lite" else FaultyEstimator
    sys.exit(main(estimator_factory=factory))
