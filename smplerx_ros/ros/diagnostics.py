"""The node's health as a DiagnosticArray: levels that mean something, figures that say why."""

from __future__ import annotations

from dataclasses import dataclass

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from .statistics import Snapshot

SUPERSEDED = "superseded"  # the drop that is by design: a newer image came
STALE_AFTER_S = 3.0  # without images


@dataclass(frozen=True)
class Health:
    """What the node knows of itself when a report is due."""

    state: str  # of the lifecycle
    enabled: bool
    failure: str  # why the last transition failed, or ""
    image_topic: str
    silent_s: float  # since the last image
    camera_assumed: bool
    backend: str


def diagnostics(node_name: str, stamp: Time, health: Health, counts: Snapshot, period_s: float) -> DiagnosticArray:
    """One status, for the `period_s` seconds that `counts` covers."""
    level, text = _verdict(health, counts)
    values = {
        "state": health.state,
        "backend": health.backend,
        "image rate (Hz)": f"{counts.received / period_s:.1f}",
        "published rate (Hz)": f"{counts.published / period_s:.1f}",
        "people": str(counts.people),
    }
    if counts.ages_ms is not None:
        values["age p50 (ms)"], values["age p95 (ms)"] = (f"{age:.1f}" for age in counts.ages_ms)
    values |= {f"dropped: {reason}": str(number) for reason, number in sorted(counts.drops.items())}
    status = DiagnosticStatus(
        level=level, name=f"{node_name}: estimation", message=text, hardware_id=health.image_topic
    )
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    message = DiagnosticArray(status=[status])
    message.header.stamp = stamp
    return message


def _verdict(health: Health, counts: Snapshot) -> tuple[bytes, str]:
    if health.failure:
        return DiagnosticStatus.ERROR, health.failure
    if health.state != "active" or not health.enabled:
        return DiagnosticStatus.OK, health.state if health.enabled else "disabled by ~/enable"
    if "exception" in counts.new_drops:
        return DiagnosticStatus.ERROR, f"exceptions: {counts.last_words['exception']}"
    if health.silent_s > STALE_AFTER_S:
        return DiagnosticStatus.WARN, f"no images on {health.image_topic} for {health.silent_s:.0f} s"
    faults = {reason: number for reason, number in counts.new_drops.items() if reason != SUPERSEDED}
    if faults:
        return DiagnosticStatus.WARN, ", ".join(f"{number} x {reason}" for reason, number in sorted(faults.items()))
    if health.camera_assumed:
        return DiagnosticStatus.WARN, "no usable camera_info: default_fov is assumed"
    return DiagnosticStatus.OK, "estimating"
