"""Rules on topics, their publishers, and the lists of tracked ids."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .recording import LISTS, Endpoint, Recording, without_id

_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_TYPES = {"roi": "hri_msgs/msg/NormalizedRegionOfInterest2D", "cropped": "sensor_msgs/msg/Image"}
_MAX_SILENCE_S = 2.0  # longest period of a list that is not latched
_MIN_FRAMES = 5  # with fewer, a topic may not have been discovered in time
_REMOVAL_S = 2.0


def lists(recording: Recording) -> Iterator[str | None]:
    """The lists exist, with type and stamp, for each kind that is published; bodies or faces must be."""
    endpoints = recording.endpoints
    kinds = {kind: [e for e in endpoints if e.topic.startswith(f"/humans/{kind}/")] for kind in LISTS}
    if not any(kinds.values()):
        yield "nothing is published under /humans/bodies or /humans/faces"
    for kind, theirs in kinds.items():
        topic = LISTS[kind]
        types = {endpoint.type for endpoint in theirs if endpoint.topic == topic}
        if theirs:
            good = types == {"hri_msgs/msg/IdsList"}
            yield None if good else f"{topic} is published as {', '.join(sorted(types)) or 'nothing'}"
        for message in recording.messages_on(topic):
            yield None if message.stamp_ns else f"{topic}: header.stamp is 0"


def late(recording: Recording) -> Iterator[str | None]:
    """The lists reach late joiners."""
    for topic in LISTS.values():
        for endpoint in (e for e in recording.endpoints if e.topic == topic):
            times = [message.time for message in recording.messages_on(topic)]
            gaps = [b - a for a, b in zip([recording.begin, *times], [*times, recording.end], strict=True)]
            good = endpoint.latched or max(gaps) < _MAX_SILENCE_S
            yield (
                None if good else f"{topic} is volatile and was silent for {max(gaps):.1f} s: who comes late gets none"
            )


def reliable(recording: Recording) -> Iterator[str | None]:
    """No publisher is best effort."""
    for endpoint in _provided(recording):
        yield None if endpoint.reliable else f"{without_id(endpoint.topic)} is published best effort by {endpoint.node}"


def ids(recording: Recording) -> Iterator[str | None]:
    """Ids have valid syntax."""
    for kind in LISTS:
        for identity in recording.tracked_spans(kind):
            yield None if _ID.match(identity) else f"{kind}: id {identity!r} is not a letter with letters and digits"


def required(recording: Recording) -> Iterator[str | None]:
    """The required topics of ids tracked for long enough are advertised with the right type, and published."""
    endpoints = recording.endpoints
    for kind in LISTS:
        for identity, (first, last) in recording.tracked_spans(kind).items():
            mentions = sum(identity in message.value for message in recording.messages_on(LISTS[kind]))
            frames = max(mentions, len(recording.messages_on(f"/humans/{kind}/{identity}/roi")))
            if last - first < recording.settling_time or frames < _MIN_FRAMES:
                continue
            for name, type_name in _TYPES.items():
                topic = f"/humans/{kind}/{identity}/{name}"
                types = {endpoint.type for endpoint in endpoints if endpoint.topic == topic}
                if types != {type_name}:
                    yield f"/humans/{kind}/<id>/{name} is published as {', '.join(sorted(types)) or 'nothing'}"
                elif not recording.messages_on(topic):
                    yield f"/humans/{kind}/<id>/{name} is advertised, but nothing comes though it is subscribed"
                else:
                    yield None


def leaving(recording: Recording) -> Iterator[str | None]:
    """Ids without messages leave the list."""
    for kind in LISTS:
        for identity, (_, last) in recording.tracked_spans(kind).items():
            times = [message.time for message in recording.messages_on(f"/humans/{kind}/{identity}/roi")]
            if times:
                silent = last - max(times)
                good = silent < recording.settling_time
                yield None if good else f"{LISTS[kind]} lists an id for {silent:.1f} s after its last region"


def stale_topics(recording: Recording) -> Iterator[str | None]:
    """Topics of ids that left are removed."""
    for kind in LISTS:
        for identity, (_, last) in recording.tracked_spans(kind).items():
            prefix = f"/humans/{kind}/{identity}/"
            late_ones = [s for s in recording.snapshots if s[0] > last + _REMOVAL_S]
            left = {e.topic for _, endpoints in late_ones for e in endpoints if e.topic.startswith(prefix)}
            if late_ones:
                names = ", ".join(sorted(without_id(topic) for topic in left))
                yield f"{names}: still there after the id left the list" if left else None


def persons(recording: Recording) -> Iterator[str | None]:
    """Ids of bodies are not used as ids of persons, unless those are marked as anonymous."""
    topics = {endpoint.topic for endpoint in recording.endpoints}
    for identity in recording.tracked_spans("bodies"):
        prefix = f"/humans/persons/{identity}/"
        invented = any(topic.startswith(prefix) for topic in topics) and f"{prefix}anonymous" not in topics
        frame = f"person_{identity}"
        if invented:
            yield "the id of a body is published under /humans/persons without `anonymous`"
        elif recording.transforms_of(frame) and not any(topic.startswith("/humans/persons/") for topic in topics):
            yield "TF has person_<id> for the id of a body, and nobody provides persons"
        else:
            yield None


def _provided(recording: Recording) -> list[Endpoint]:
    prefixes = tuple(f"/humans/{kind}/" for kind in LISTS)
    return sorted((e for e in recording.endpoints if e.topic.startswith(prefixes)), key=lambda e: e.topic)
