"""Rules on URDFs and joint states of bodies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

from smplerx_ros.rep155.description import JOINTS

from .recording import Recording

_LIMIT_TOLERANCE = 1e-3  # radians, for rounding in the URDF


@dataclass(frozen=True)
class _Model:
    """Contents of a URDF; limits of movable joints only."""

    joints: dict[str, tuple[str, str]]  # parent and child by name
    limits: dict[str, tuple[float, float]]
    links: frozenset[str]

    @property
    def roots(self) -> set[str]:
        """Links without a parent."""
        return set(self.links) - {child for _, child in self.joints.values()}


def urdf(recording: Recording) -> Iterator[str | None]:
    """Bodies tracked for long enough have a latched, valid URDF whose root is the body's frame."""
    endpoints = recording.endpoints
    for identity, (first, last) in recording.tracked_spans("bodies").items():
        topic = f"/humans/bodies/{identity}/urdf"
        publishers = [endpoint for endpoint in endpoints if endpoint.topic == topic]
        if not publishers or not recording.messages_on(topic):
            if last - first >= recording.settling_time:
                yield "/humans/bodies/<id>/urdf: no URDF came"
            continue
        if not all(endpoint.latched and endpoint.type == "std_msgs/msg/String" for endpoint in publishers):
            yield "/humans/bodies/<id>/urdf is not a latched (transient local) std_msgs/String"
            continue
        for message in recording.messages_on(topic):
            found = _read(message.value)
            if isinstance(found, str):
                yield f"/humans/bodies/<id>/urdf: {found}"
            elif found.roots != {f"body_{identity}"}:
                roots = {_without(root, identity) for root in found.roots}
                yield f"/humans/bodies/<id>/urdf: the root is {', '.join(sorted(roots))}, not body_<id>"
            else:
                yield None


def names(recording: Recording) -> Iterator[str | None]:
    """The URDF contains the REP's kinematic tree; further links may be attached."""
    for identity, found in _models(recording):
        suffix = f"_{identity}"
        unmarked = {name for name in (*found.joints, *found.links) if not name.endswith(suffix)}
        if unmarked:
            yield f"URDF: {', '.join(sorted(unmarked)[:3])} ... have no suffix _<id>"
            continue
        missing = [joint.name for joint in JOINTS if f"{joint.name}{suffix}" not in found.joints]
        if missing:
            yield f"URDF: the REP's joints {', '.join(missing)} are missing"
            continue
        other = [
            joint.name
            for joint in JOINTS
            if found.joints[joint.name + suffix] != (f"{joint.parent}{suffix}", f"{joint.child}{suffix}")
        ]
        yield f"URDF: {', '.join(other)} tie other links than the REP's" if other else None


def joint_states(recording: Recording) -> Iterator[str | None]:
    """Joint states name the URDF's joints, and are finite."""
    models = dict(_models(recording))
    for identity, message in recording.messages_below("bodies", "joint_states"):
        angles: dict[str, float] = message.value
        if not all(math.isfinite(angle) for angle in angles.values()):
            yield "/humans/bodies/<id>/joint_states has angles that are not finite"
        elif not all(name.endswith(f"_{identity}") for name in angles):
            yield "/humans/bodies/<id>/joint_states has joints without the suffix _<id>"
        elif identity in models:
            strange = set(angles) ^ set(models[identity].limits)
            wrong = ", ".join(sorted({_without(name, identity) for name in strange}))
            yield f"/humans/bodies/<id>/joint_states and the URDF differ in {wrong}" if strange else None


def limits(recording: Recording) -> Iterator[str | None]:
    """Angles are within the URDF's limits."""
    models = dict(_models(recording))
    for identity, message in recording.messages_below("bodies", "joint_states"):
        if identity in models:
            ranges = models[identity].limits
            outside = [
                _without(name, identity)
                for name, angle in message.value.items()
                if name in ranges
                and not ranges[name][0] - _LIMIT_TOLERANCE <= angle <= ranges[name][1] + _LIMIT_TOLERANCE
            ]
            yield f"{', '.join(sorted(outside))} outside the URDF's limits" if outside else None


def _models(recording: Recording) -> Iterator[tuple[str, _Model]]:
    """The last valid URDF of each body."""
    for identity in recording.tracked_spans("bodies"):
        readable = [_read(message.value) for message in recording.messages_on(f"/humans/bodies/{identity}/urdf")]
        good = [found for found in readable if isinstance(found, _Model)]
        if good:
            yield identity, good[-1]


def _read(text: str) -> _Model | str:
    """The model, or a description of why the URDF is invalid."""
    try:
        robot = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return f"not XML ({error})"
    joints: dict[str, tuple[str, str]] = {}
    limits: dict[str, tuple[float, float]] = {}
    for joint in robot.iter("joint"):
        name, parent, child, limit = (
            joint.get("name", ""),
            joint.find("parent"),
            joint.find("child"),
            joint.find("limit"),
        )
        if parent is None or child is None:
            return f"joint {name!r} has no parent or child"
        joints[name] = (parent.get("link", ""), child.get("link", ""))
        if joint.get("type") in ("revolute", "prismatic") and limit is None:
            return f"joint {name!r} has no limits"
        if joint.get("type") != "fixed":
            bounds = (limit.get("lower", "-inf"), limit.get("upper", "inf")) if limit is not None else ("-inf", "inf")
            limits[name] = (float(bounds[0]), float(bounds[1]))
    return _Model(joints, limits, frozenset(link.get("name", "") for link in robot.iter("link")))


def _without(name: str, identity: str) -> str:
    return name.removesuffix(f"_{identity}")
