"""Stage times and problems of a node, read from its /diagnostics; for viewers, recorders and benchmarks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus

_STAGE = re.compile(r"stage (.+) \(ms\)")
_WORK = re.compile(r"work (p\d+) \(ms\)")


@dataclass(frozen=True)
class Report:
    """Contents of one DiagnosticArray about one node, all of its cameras together."""

    trouble: str = ""  # the first status that is not OK; empty: all are
    runtime: str = ""  # that runs the networks; empty: not reported yet
    stages_ms: dict[str, float] = field(default_factory=dict)  # mean times of the first camera that has any
    work_ms: dict[str, float] = field(default_factory=dict)  # percentiles (`p50`, `p95`, `p99`) of the same camera


def report_of(node: str, message: DiagnosticArray) -> Report | None:
    """The report of the node with this fully qualified name (`/smplerx`); None if `message` has no status of it."""
    statuses = [status for status in message.status if status.name.startswith(f"{node}:")]
    if not statuses:
        return None
    bad = [status for status in statuses if status.level != DiagnosticStatus.OK]
    values = [{value.key: value.value for value in status.values} for status in statuses]
    busy = next((camera for camera in values if any(_STAGE.fullmatch(key) for key in camera)), {})
    return Report(
        trouble=f"{node}: {bad[0].message}" if bad else "",
        runtime=next((camera["runtime"] for camera in values if "runtime" in camera), ""),
        stages_ms=dict(_numbers(_STAGE, busy.items())),
        work_ms=dict(_numbers(_WORK, busy.items())),
    )


def _numbers(pattern: re.Pattern[str], values: Iterable[tuple[str, str]]) -> Iterable[tuple[str, float]]:
    for key, value in values:
        if match := pattern.fullmatch(key):
            yield match[1], float(value)
