"""What a node says of its own work in /diagnostics: for whatever shows or measures it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

_STAGE = re.compile(r"stage (.+) \(ms\)")
_WORK = re.compile(r"work (p\d+) \(ms\)")


@dataclass(frozen=True)
class Report:
    """One message about one node, all of its cameras together."""

    trouble: str = ""  # what is wrong; empty: nothing
    runtime: str = ""  # what runs the networks; empty: not said yet
    stages_ms: dict[str, float] = field(default_factory=dict)  # mean times of the first camera that has any
    work_ms: dict[str, float] = field(default_factory=dict)  # percentiles (`p50`, `p95`, `p99`) of the same camera


def report_of(node: str, message: DiagnosticArray) -> Report | None:
    """What `message` says of the node with this full name (`/smplerx`); None: nothing."""
    statuses = [status for status in message.status if status.name.startswith(f"{node}:")]
    if not statuses:
        return None
    bad = [status for status in statuses if status.level != DiagnosticStatus.OK]
    values = [{value.key: value.value for value in status.values} for status in statuses]
    busy = next((of_one for of_one in values if any(_STAGE.fullmatch(key) for key in of_one)), {})
    return Report(
        trouble=f"{node}: {bad[0].message}" if bad else "",
        runtime=next((of_one["runtime"] for of_one in values if "runtime" in of_one), ""),
        stages_ms=dict(_numbers(_STAGE, busy.items())),
        work_ms=dict(_numbers(_WORK, busy.items())),
    )


def _numbers(pattern: re.Pattern[str], values: Iterable[tuple[str, str]]) -> Iterable[tuple[str, float]]:
    for key, value in values:
        if match := pattern.fullmatch(key):
            yield match[1], float(value)
