"""A synthetic recording of a provider that conforms to REP-155, and modifications that violate it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from smplerx_ros.rep155.axes import REP_FROM_OPTICAL
from smplerx_ros.rep155.conformance.recording import CameraIntrinsics, Endpoint, Message, Recording, Transform
from smplerx_ros.rep155.description import MOVING, BodyDescription
from support.bodies import standin

BODY, FACE, CAMERA = "p1", "fp1", "camera"
PERIOD, STAYS, END = 0.1, 3.0, 8.0  # seconds: a frame, how long the person is there, and the recording
START_NS = 1_700_000_000_000_000_000
ORIGIN = np.array([0.0, 0.0, 3.0])
# Upright and facing the camera: x towards it, y to the image's right, z up.
FACING = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
SKELETON = np.zeros((18, 3))
SKELETON[:] = (0.5, 0.5, 1.0)
SKELETON[1] = (0.5, 0.2, 1.0)  # neck
SKELETON[8], SKELETON[11] = (0.45, 0.5, 1.0), (0.55, 0.5, 1.0)  # right hip, left hip
LANDMARKS = np.full((70, 3), 0.5)
LANDMARKS[8] = (0.5, 0.3, 1.0)  # chin
LANDMARKS[27] = (0.5, 0.2, 1.0)  # sellion
URDF = BodyDescription.from_rest(standin().joint_template[None])[0].urdf(BODY)
_TYPES = {
    "roi": "hri_msgs/msg/NormalizedRegionOfInterest2D",
    "cropped": "sensor_msgs/msg/Image",
    "skeleton2d": "hri_msgs/msg/Skeleton2D",
    "landmarks": "hri_msgs/msg/FacialLandmarks",
    "joint_states": "sensor_msgs/msg/JointState",
    "urdf": "std_msgs/msg/String",
}
_VALUES: dict[str, Any] = {
    "roi": (0.2, 0.1, 0.6, 0.9, 0.8),
    "cropped": (100, 200, 60_000),
    "skeleton2d": SKELETON,
    "landmarks": LANDMARKS,
    "joint_states": {f"{joint.name}_{BODY}": 0.0 for joint in MOVING},
}
_TOPICS = {"bodies": ("roi", "cropped", "skeleton2d", "joint_states"), "faces": ("roi", "cropped", "landmarks")}
_IDS = {"bodies": BODY, "faces": FACE}


def good_recording() -> Recording:
    """Create the recording: a person is present for three seconds, then nobody."""
    messages: list[Message] = [Message(0.0, f"/humans/bodies/{BODY}/urdf", 0, "", URDF)]
    transforms: list[Transform] = []
    times = np.arange(0.0, END, PERIOD)
    stamps = [START_NS + round(time * 1e9) for time in times]
    for time, stamp in zip(times.tolist(), stamps, strict=True):
        present = time < STAYS
        for kind, identity in _IDS.items():
            listed = (identity,) if present else ()
            messages.append(Message(time, f"/humans/{kind}/tracked", stamp, CAMERA, listed))
            for name in _TOPICS[kind] if present else ():
                messages.append(Message(time, f"/humans/{kind}/{identity}/{name}", stamp, CAMERA, _VALUES[name]))
        if present:
            messages.append(Message(time, "/humans/candidate_matches", 0, "", (FACE, 2, BODY, 3, 1.0)))
            transforms += [
                Transform(time, stamp, CAMERA, f"body_{BODY}", ORIGIN, FACING),
                Transform(time, stamp, f"body_{BODY}", f"waist_{BODY}", np.zeros(3), np.eye(3)),
                Transform(time, stamp, CAMERA, f"face_{FACE}", ORIGIN + (0, -0.7, 0), FACING),
                Transform(time, stamp, f"face_{FACE}", f"gaze_{FACE}", np.zeros(3), REP_FROM_OPTICAL),
            ]
    snapshots = tuple((time, _endpoints(time < STAYS)) for time in times.tolist())
    camera = CameraIntrinsics(np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), 640, 480)
    return Recording(0.0, END, snapshots, tuple(messages), tuple(transforms), frozenset(stamps), {CAMERA: camera})


def _endpoints(present: bool) -> tuple[Endpoint, ...]:
    def endpoint(topic: str, kind: str, latched: bool = False) -> Endpoint:
        return Endpoint(topic, kind, "/provider", True, latched)

    found = [endpoint(f"/humans/{kind}/tracked", "hri_msgs/msg/IdsList", True) for kind in _IDS]
    for kind, identity in _IDS.items() if present else ():
        names = (*_TOPICS[kind], "urdf") if kind == "bodies" else _TOPICS[kind]
        found += [endpoint(f"/humans/{kind}/{identity}/{n}", _TYPES[n], n == "urdf") for n in names]
    return tuple(found)


def with_messages(change: Callable[[Message], Message | None], *names: str) -> Callable[[Recording], Recording]:
    """Change the messages of topics that end with one of `names`, or drop them where `change` returns None."""

    def broken(good: Recording) -> Recording:
        changed = [change(m) if m.topic.endswith(names) else m for m in good.messages]
        return replace(good, messages=tuple(m for m in changed if m is not None))

    return broken


def with_transforms(
    change: Callable[[Transform], Transform | None], prefix: str = ""
) -> Callable[[Recording], Recording]:
    """Change the transforms of frames that start with `prefix`, or drop them where `change` returns None."""

    def broken(good: Recording) -> Recording:
        changed = [change(t) if t.child.startswith(prefix) else t for t in good.transforms]
        return replace(good, transforms=tuple(t for t in changed if t is not None))

    return broken


def with_endpoints(change: Callable[[Endpoint], Endpoint | None], *names: str) -> Callable[[Recording], Recording]:
    """Change the publishers of topics that end with one of `names`, or drop them where `change` returns None."""

    def broken(good: Recording) -> Recording:
        snapshots = []
        for time, endpoints in good.snapshots:
            changed = [change(e) if e.topic.endswith(names) else e for e in endpoints]
            snapshots.append((time, tuple(e for e in changed if e is not None)))
        return replace(good, snapshots=tuple(snapshots))

    return broken


def renamed(old: str, new: str) -> Callable[[Recording], Recording]:
    """Replace an id in all names."""

    def name(text: str) -> str:
        return text.replace(f"/{old}/", f"/{new}/").removesuffix(f"_{old}") + (
            f"_{new}" if text.endswith(f"_{old}") else ""
        )

    def value(message: Message) -> Any:
        if message.topic.endswith("tracked"):
            return tuple(new if identity == old else identity for identity in message.value)
        if message.topic.endswith("joint_states"):
            return {name(joint): angle for joint, angle in message.value.items()}
        return message.value.replace(f"_{old}", f"_{new}") if message.topic.endswith("urdf") else message.value

    def broken(good: Recording) -> Recording:
        return replace(
            good,
            messages=tuple(replace(m, topic=name(m.topic), value=value(m)) for m in good.messages),
            transforms=tuple(replace(t, parent=name(t.parent), child=name(t.child)) for t in good.transforms),
            snapshots=tuple((t, tuple(replace(e, topic=name(e.topic)) for e in es)) for t, es in good.snapshots),
        )

    return broken
