"""Health of the node as a DiagnosticArray: a level, the reason for it, and measurements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from smplerx_ros.ros.statistics import Snapshot

SUPERSEDED = "superseded"  # dropped by design: a newer image arrived
NO_TRANSFORM = "no_transform"  # dropped: TF has no transform to target_frame
PERCENTILES = ("p50", "p95", "p99")
STALE_AFTER_S = 3.0  # without images


@dataclass(frozen=True)
class NodeHealth:
    """State of the node, common to all cameras."""

    state: str  # lifecycle state
    enabled: bool
    failure: str = ""  # of the last transition, or a call that hangs; empty: none
    backend: Mapping[str, str] = field(default_factory=dict)  # backbone, body model and runtime of the last frame
    degraded: str = ""  # what is reduced to meet latency.budget_ms; empty: nothing
    memory: Mapping[str, int] = field(default_factory=dict)  # bytes, by kind
    figures: Mapping[str, str] = field(default_factory=dict)  # further values of the output, by key


@dataclass(frozen=True)
class CameraHealth:
    """State of one camera, and its counts since the last report."""

    name: str  # empty if it is the only one
    image_topic: str
    silent_s: float  # seconds since the last image
    camera_assumed: bool  # no calibration: default_fov is assumed
    counts: Snapshot


NO_CAMERA = CameraHealth("", "", 0.0, False, Snapshot())


def diagnostics(
    node_name: str, stamp: Time, node: NodeHealth, cameras: Iterable[CameraHealth], period_s: float
) -> DiagnosticArray:
    """One status per camera, or one for the node if there is none. `period_s`: seconds that the counts cover."""
    statuses = [_status(node_name, node, camera, period_s) for camera in cameras]
    message = DiagnosticArray(status=statuses or [_status(node_name, node, NO_CAMERA, period_s)])
    message.header.stamp = stamp
    return message


def _status(node_name: str, node: NodeHealth, camera: CameraHealth, period_s: float) -> DiagnosticStatus:
    level, text = _verdict(node, camera)
    counts = camera.counts
    values = {
        "state": node.state,
        **node.backend,
        "degraded": node.degraded or "no",
        "image rate (Hz)": f"{counts.received / period_s:.1f}",
        "published rate (Hz)": f"{counts.published / period_s:.1f}",
        "people": str(counts.people),
        "people not estimated": str(counts.not_estimated),
    }
    for figure, times in (("age", counts.ages_ms), ("work", counts.work_ms)):
        if times is not None:
            values |= {f"{figure} {name} (ms)": f"{ms:.1f}" for name, ms in zip(PERCENTILES, times, strict=True)}
    values |= {f"stage {name} (ms)": f"{ms:.1f}" for name, ms in counts.stages_ms.items()}
    values |= node.figures
    values |= {f"{name} (MiB)": f"{size / 2**20:.0f}" for name, size in node.memory.items()}
    values |= {f"dropped: {reason}": str(number) for reason, number in sorted(counts.drops.items())}
    status = DiagnosticStatus(
        level=level, name=f"{node_name}: {camera.name or 'estimation'}", message=text, hardware_id=camera.image_topic
    )
    status.values = [KeyValue(key=key, value=value) for key, value in values.items()]
    return status


def _verdict(node: NodeHealth, camera: CameraHealth) -> tuple[bytes, str]:
    counts = camera.counts
    if node.failure:
        return DiagnosticStatus.ERROR, node.failure
    if node.state != "active" or not node.enabled:
        return DiagnosticStatus.OK, node.state if node.enabled else "disabled by ~/enable"
    if "exception" in counts.new_drops:
        return DiagnosticStatus.ERROR, f"exceptions: {counts.last_messages['exception']}"
    if camera.silent_s > STALE_AFTER_S:
        return DiagnosticStatus.WARN, f"no images on {camera.image_topic} for {camera.silent_s:.0f} s"
    if NO_TRANSFORM in counts.new_drops:
        return DiagnosticStatus.WARN, counts.last_messages[NO_TRANSFORM]
    faults = {reason: number for reason, number in counts.new_drops.items() if reason != SUPERSEDED}
    if faults:
        return DiagnosticStatus.WARN, ", ".join(f"{number} x {reason}" for reason, number in sorted(faults.items()))
    if node.degraded:
        return DiagnosticStatus.WARN, f"reduced to meet latency.budget_ms: {node.degraded}"
    if camera.camera_assumed:
        return DiagnosticStatus.WARN, "no usable camera_info: default_fov is assumed"
    return DiagnosticStatus.OK, "estimating"
