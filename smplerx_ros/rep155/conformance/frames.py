"""Rules on TF: existence, parents and axes of frames."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from smplerx_ros.arrays import FloatArray

from .recording import LISTS, Recording, Transform

_TOLERATED_SHARE = 0.25  # share of frames with wrong axes that is attributed to errors of estimation
_MAX_AXIS_ERROR_DEG = 60.0  # degrees between a projected axis and the image
_MIN_PROJECTED_LENGTH = 0.5  # of a unit axis; foreshortened axes are not checked
_MIN_CONFIDENCE = 0.3  # of a keypoint
_NECK, _RIGHT_HIP, _LEFT_HIP = 1, 8, 11  # Skeleton2D
_CHIN, _SELLION = 8, 27  # FacialLandmarks
_MAX_ORIGIN_OFFSET = 0.25  # from the middle of the hips, as share of the distance from hips to neck, plus 5 pixels
_MAX_FACE_ANGLE_DEG = 110.0  # between a visible face and the camera
_MAX_GAZE_ANGLE_DEG = 50.0  # between gaze and face: range of the eyes
_MAX_GAZE_OFFSET = 0.02  # metres, between the origins of face and gaze


def body_frame(recording: Recording) -> Iterator[str | None]:
    """`body_<id>` exists for bodies tracked for long enough, below the sensor's frame, with stamps of images."""
    yield from _sensor_frame(recording, "bodies", "body")


def face_frame(recording: Recording) -> Iterator[str | None]:
    """`face_<id>`, if the provider estimates head poses: x towards the camera, z up as in the landmarks."""
    faces = recording.tracked_spans("faces")
    if not any(recording.transforms_of(f"face_{identity}") for identity in faces):
        return
    yield from _sensor_frame(recording, "faces", "face")
    x_wrong: list[bool] = []
    z_wrong: list[bool] = []
    for identity in faces:
        for transform in recording.transforms_of(f"face_{identity}"):
            towards = -transform.position / (np.linalg.norm(transform.position) + 1e-9)
            x_wrong.append(bool(transform.rotation[:, 0] @ towards < np.cos(np.radians(_MAX_FACE_ANGLE_DEG))))
        z_wrong += _faces_with_wrong_z(recording, identity)
    yield _mostly(x_wrong, "face_<id>: x points away from the camera that sees the face")
    if z_wrong:
        yield _mostly(z_wrong, "face_<id>: z does not point from the chin to the bridge of the nose")


def gaze_frame(recording: Recording) -> Iterator[str | None]:
    """`gaze_<id>` exists for each `face_<id>`."""
    for identity in recording.tracked_spans("faces"):
        if not recording.transforms_of(f"face_{identity}"):
            continue
        gazes = {transform.stamp_ns: transform for transform in recording.transforms_of(f"gaze_{identity}")}
        if not gazes:
            yield "face_<id> has no gaze_<id>"
        for face in recording.transforms_of(f"face_{identity}"):
            if face.stamp_ns in gazes:
                yield _gaze(face, gazes[face.stamp_ns])


def body_axes(recording: Recording) -> Iterator[str | None]:
    """Axes and origin of `body_<id>` projected to the image agree with hips and neck of the skeleton."""
    z_wrong: list[bool] = []
    y_wrong: list[bool] = []
    origin_wrong: list[bool] = []
    for identity in recording.tracked_spans("bodies"):
        frames = {transform.stamp_ns: transform for transform in recording.transforms_of(f"body_{identity}")}
        for message in recording.messages_on(f"/humans/bodies/{identity}/skeleton2d"):
            camera = recording.cameras.get(message.frame_id)
            points = np.asarray(message.value)
            needed = points[[_NECK, _RIGHT_HIP, _LEFT_HIP]]
            if message.stamp_ns not in frames or needed[:, 2].min() < _MIN_CONFIDENCE or needed.max() > 1:
                continue
            frame = frames[message.stamp_ns]
            pixels = points[:, :2] * ((camera.width, camera.height) if camera else (4, 3))
            hips = (pixels[_RIGHT_HIP] + pixels[_LEFT_HIP]) / 2
            up, left = pixels[_NECK] - hips, pixels[_LEFT_HIP] - pixels[_RIGHT_HIP]
            z_wrong += _misaligned(frame.rotation[:2, 2], up)
            y_wrong += _misaligned(frame.rotation[:2, 1], left)
            if camera and frame.position[2] > 0:
                pixel = camera.k[:2, :2] @ (frame.position[:2] / frame.position[2]) + camera.k[:2, 2]
                origin_wrong.append(bool(np.linalg.norm(pixel - hips) > _MAX_ORIGIN_OFFSET * np.linalg.norm(up) + 5))
    if z_wrong:
        yield _mostly(z_wrong, "body_<id>: z does not point from the hips to the neck")
    if y_wrong:
        yield _mostly(y_wrong, "body_<id>: y does not point from the right hip to the left")
    if origin_wrong:
        yield _mostly(origin_wrong, "body_<id>: the origin is not midway between the hips")


def one_parent(recording: Recording) -> Iterator[str | None]:
    """Frames of bodies and faces have one parent; the sensor's frame is not below a person."""
    parents = defaultdict(set)
    for transform in recording.transforms:
        parents[transform.child].add(transform.parent)
    ids = {identity for kind in LISTS for identity in recording.tracked_spans(kind)}
    sensors = {
        message.frame_id for kind in LISTS for _, message in recording.messages_below(kind, "roi") if message.frame_id
    }
    for child, theirs in parents.items():
        if _suffix(child, ids):
            yield f"{_generic(child, ids)} has {len(theirs)} parents" if len(theirs) > 1 else None
        if child in sensors and any(_suffix(parent, ids) for parent in theirs):
            yield f"the sensor's frame {child} hangs below a person"


def not_static(recording: Recording) -> Iterator[str | None]:
    """Frames of people are not on /tf_static, since people leave."""
    ids = {identity for kind in LISTS for identity in recording.tracked_spans(kind)}
    for transform in recording.transforms:
        if _suffix(transform.child, ids):
            yield f"{_generic(transform.child, ids)} is on /tf_static" if transform.static else None


def stale(recording: Recording) -> Iterator[str | None]:
    """Transforms of ids that left stop."""
    for kind, prefix in (("bodies", "body_"), ("faces", "face_")):
        for identity, (_, last) in recording.tracked_spans(kind).items():
            times = [transform.time for transform in recording.transforms_of(f"{prefix}{identity}")]
            if times:
                over = max(times) - last
                yield (
                    None
                    if over < recording.settling_time
                    else f"{prefix}<id> goes on for {over:.1f} s after the id left the list"
                )


def _sensor_frame(recording: Recording, kind: str, prefix: str) -> Iterator[str | None]:
    for identity, (first, last) in recording.tracked_spans(kind).items():
        frames = recording.transforms_of(f"{prefix}_{identity}")
        if not frames:
            if last - first >= recording.settling_time:
                yield f"TF has no {prefix}_<id>"
            continue
        sensors = {
            message.frame_id.lstrip("/") for message in recording.messages_on(f"/humans/{kind}/{identity}/roi")
        } - {""}
        for frame in frames:
            if sensors and frame.parent not in sensors:
                yield f"{prefix}_<id> hangs below {frame.parent!r}, not below the sensor's frame {min(sensors)!r}"
            elif recording.is_image_stamp(frame.stamp_ns) is False:
                yield f"{prefix}_<id>: the stamp is that of no image"
            else:
                yield None


def _faces_with_wrong_z(recording: Recording, identity: str) -> list[bool]:
    frames = {transform.stamp_ns: transform for transform in recording.transforms_of(f"face_{identity}")}
    wrong = []
    for message in recording.messages_on(f"/humans/faces/{identity}/landmarks"):
        camera, points = recording.cameras.get(message.frame_id), np.asarray(message.value)
        if message.stamp_ns in frames:
            pixels = points[:, :2] * ((camera.width, camera.height) if camera else (4, 3))
            wrong += _misaligned(frames[message.stamp_ns].rotation[:2, 2], pixels[_SELLION] - pixels[_CHIN])
    return wrong


def _gaze(face: Transform, gaze: Transform) -> str | None:
    position, rotation = gaze.position, gaze.rotation
    if gaze.parent == face.parent:  # else its parent is the face
        position = face.rotation.T @ (position - face.position)
        rotation = face.rotation.T @ rotation
    if np.linalg.norm(position) > _MAX_GAZE_OFFSET:
        return "gaze_<id> is not where face_<id> is"
    if rotation[0, 2] < np.cos(np.radians(_MAX_GAZE_ANGLE_DEG)):
        return "gaze_<id>: z does not look out of the face"
    return None if rotation[2, 1] < 0 else "gaze_<id>: y does not point down"


def _misaligned(axis: FloatArray, shown: FloatArray) -> list[bool]:
    """Whether a projected axis points away from a direction in the image; empty if one is too short to tell."""
    length, size = np.linalg.norm(axis), np.linalg.norm(shown)
    if length < _MIN_PROJECTED_LENGTH or size < 1e-6:
        return []
    return [bool(axis @ shown / (length * size) < np.cos(np.radians(_MAX_AXIS_ERROR_DEG)))]


def _mostly(wrong: list[bool], complaint: str) -> str | None:
    return complaint if np.mean(wrong) > _TOLERATED_SHARE else None


def _suffix(frame: str, ids: set[str]) -> bool:
    return "/" not in frame and any(frame.endswith(f"_{identity}") for identity in ids)


def _generic(frame: str, ids: set[str]) -> str:
    identity = max((i for i in ids if frame.endswith(f"_{i}")), key=len)
    return f"{frame.removesuffix(f'_{identity}')}_<id>"
