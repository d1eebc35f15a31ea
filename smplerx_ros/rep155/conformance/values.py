"""Rules on the contents of messages."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .recording import LISTS, MATCHES, Recording, without_id

_FACE, _BODY = 2, 3  # hri_msgs/IdsMatch


def regions(recording: Recording) -> Iterator[str | None]:
    """Regions of interest of bodies and faces."""
    for kind in LISTS:
        for _, message in recording.messages_below(kind, "roi"):
            x0, y0, x1, y1 = message.value[:4]
            inside = all(0 <= value <= 1 for value in message.value)  # False for NaN
            if not inside:
                yield f"/humans/{kind}/<id>/roi is not in 0..1"
            elif x0 >= x1 or y0 >= y1:
                yield f"/humans/{kind}/<id>/roi is empty: its maxima are not above its minima"
            else:
                yield None


def skeletons(recording: Recording) -> Iterator[str | None]:
    """Keypoints of bodies."""
    yield from _points(recording, "bodies", "skeleton2d")


def landmarks(recording: Recording) -> Iterator[str | None]:
    """Landmarks of faces."""
    yield from _points(recording, "faces", "landmarks")


def stamps(recording: Recording) -> Iterator[str | None]:
    """Stamps are those of images; if no camera was recorded, the topics and frames of an id have equal stamps."""
    for message in recording.messages:
        if message.topic not in (MATCHES, *LISTS.values()) and not message.topic.endswith("/urdf"):
            known = recording.is_image_stamp(message.stamp_ns)
            if known is not None:
                yield None if known else f"{without_id(message.topic)}: the stamp is that of no image"
    if recording.image_stamps:
        return
    for identity in recording.tracked_spans("bodies"):
        stamps_of_tf = {transform.stamp_ns for transform in recording.transforms_of(f"body_{identity}")}
        for name in ("roi", "skeleton2d", "joint_states") if stamps_of_tf else ():
            for message in recording.messages_on(f"/humans/bodies/{identity}/{name}")[1:-1]:
                good = message.stamp_ns in stamps_of_tf
                yield None if good else f"{without_id(message.topic)} and TF of body_<id> have different stamps"


def matches(recording: Recording) -> Iterator[str | None]:
    """Matches link different ids that are tracked; they exist if there are bodies and faces."""
    faces, bodies = recording.tracked_spans("faces"), recording.tracked_spans("bodies")
    found = recording.messages_on(MATCHES)
    if faces and bodies and not found:
        yield f"faces and bodies are tracked, and nothing comes on {MATCHES}"
    for message in found:
        id1, type1, id2, type2, confidence = message.value
        if not id1 or not id2 or (id1, type1) == (id2, type2) or not 0 <= confidence <= 1:
            yield f"{MATCHES} holds a match that is none: {message.value}"
            continue
        known = {_FACE: faces, _BODY: bodies}
        strangers = [i for i, kind in ((id1, type1), (id2, type2)) if kind in known and i not in known[kind]]
        yield f"{MATCHES} names {', '.join(strangers)}, which was never tracked" if strangers and confidence else None


def _points(recording: Recording, kind: str, name: str) -> Iterator[str | None]:
    for _, message in recording.messages_below(kind, name):
        value = np.asarray(message.value)
        good = bool(((value >= 0) & (value <= 1)).all())
        yield None if good else f"/humans/{kind}/<id>/{name} has points or confidences outside 0..1"
