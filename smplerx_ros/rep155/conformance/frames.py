"""Rules on TF: which frames there are, where they hang, and where their axes point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from smplerx_ros.arrays import FloatArray

from .recording import LISTS, Recording, Transform

_MIXED = 0.25  # share of frames in which an estimate may be wrong before the axes are
_ASTRAY = 60.0  # degrees between an axis and what the image shows
_FORESHORTENED = 0.5  # an axis that the image shows shorter than this says nothing
_SURE = 0.3  # confidence of a point of the skeleton
_NECK, _RIGHT_HIP, _LEFT_HIP = 1, 8, 11  # Skeleton2D
_CHIN, _SELLION = 8, 27  # FacialLandmarks
_OFF_CENTRE = 0.25  # of the distance from hips to neck, from the origin to midway between the hips, and 5 pixels
_AWAY = 110.0  # degrees by which a face that is seen may be turned from the camera
_EYES = 50.0  # degrees by which a gaze may leave the face's direction: what eyes can do
_APART = 0.02  # metres between face and gaze


def body_frame(seen: Recording) -> Iterator[str | None]:
    """`body_<id>` of bodies that were tracked long enough."""
    yield from _sensor_frame(seen, "bodies", "body")


def face_frame(seen: Recording) -> Iterator[str | None]:
    """`face_<id>`, where the provider estimates head poses; x is towards the camera, z as the landmarks show it."""
    faces = seen.stays("faces")
    if not any(seen.frames(f"face_{identity}") for identity in faces):
        return
    yield from _sensor_frame(seen, "faces", "face")
    turned: list[bool] = []
    lying: list[bool] = []
    for identity in faces:
        for transform in seen.frames(f"face_{identity}"):
            towards = -transform.position / (np.linalg.norm(transform.position) + 1e-9)
            turned.append(bool(transform.rotation[:, 0] @ towards < np.cos(np.radians(_AWAY))))
        lying += _lying_faces(seen, identity)
    yield _mostly(turned, "face_<id>: x points away from the camera that sees the face")
    if lying:
        yield _mostly(lying, "face_<id>: z does not point from the chin to the bridge of the nose")


def gaze_frame(seen: Recording) -> Iterator[str | None]:
    """`gaze_<id>` wherever there is `face_<id>`."""
    for identity in seen.stays("faces"):
        if not seen.frames(f"face_{identity}"):
            continue
        gazes = {transform.stamp_ns: transform for transform in seen.frames(f"gaze_{identity}")}
        if not gazes:
            yield "face_<id> has no gaze_<id>"
        for face in seen.frames(f"face_{identity}"):
            if face.stamp_ns in gazes:
                yield _gaze(face, gazes[face.stamp_ns])


def body_axes(seen: Recording) -> Iterator[str | None]:
    """The frame's axes and origin in the image, against the skeleton's hips and neck in the same image."""
    lying: list[bool] = []
    turned: list[bool] = []
    off: list[bool] = []
    for identity in seen.stays("bodies"):
        frames = {transform.stamp_ns: transform for transform in seen.frames(f"body_{identity}")}
        for message in seen.of(f"/humans/bodies/{identity}/skeleton2d"):
            camera = seen.cameras.get(message.frame_id)
            points = np.asarray(message.value)
            needed = points[[_NECK, _RIGHT_HIP, _LEFT_HIP]]
            if message.stamp_ns not in frames or needed[:, 2].min() < _SURE or needed.max() > 1:
                continue
            frame = frames[message.stamp_ns]
            pixels = points[:, :2] * ((camera.width, camera.height) if camera else (4, 3))
            hips = (pixels[_RIGHT_HIP] + pixels[_LEFT_HIP]) / 2
            up, left = pixels[_NECK] - hips, pixels[_LEFT_HIP] - pixels[_RIGHT_HIP]
            lying += _astray(frame.rotation[:2, 2], up)
            turned += _astray(frame.rotation[:2, 1], left)
            if camera and frame.position[2] > 0:
                place = camera.k[:2, :2] @ (frame.position[:2] / frame.position[2]) + camera.k[:2, 2]
                off.append(bool(np.linalg.norm(place - hips) > _OFF_CENTRE * np.linalg.norm(up) + 5))
    if lying:
        yield _mostly(lying, "body_<id>: z does not point from the hips to the neck")
    if turned:
        yield _mostly(turned, "body_<id>: y does not point from the right hip to the left")
    if off:
        yield _mostly(off, "body_<id>: the origin is not midway between the hips")


def one_parent(seen: Recording) -> Iterator[str | None]:
    """No two parents for a frame of a body or face, and none for the frame that images and bodies are in."""
    parents = defaultdict(set)
    for transform in seen.transforms:
        parents[transform.child].add(transform.parent)
    ids = {identity for kind in LISTS for identity in seen.stays(kind)}
    sensors = {message.frame_id for kind in LISTS for _, message in seen.each(kind, "roi") if message.frame_id}
    for child, theirs in parents.items():
        if _suffix(child, ids):
            yield f"{_generic(child, ids)} has {len(theirs)} parents" if len(theirs) > 1 else None
        if child in sensors and any(_suffix(parent, ids) for parent in theirs):
            yield f"the sensor's frame {child} hangs below a person"


def not_static(seen: Recording) -> Iterator[str | None]:
    """People leave; what is latched does not."""
    ids = {identity for kind in LISTS for identity in seen.stays(kind)}
    for transform in seen.transforms:
        if _suffix(transform.child, ids):
            yield f"{_generic(transform.child, ids)} is on /tf_static" if transform.static else None


def stale(seen: Recording) -> Iterator[str | None]:
    """No transforms of ids that have left."""
    for kind, prefix in (("bodies", "body_"), ("faces", "face_")):
        for identity, (_, last) in seen.stays(kind).items():
            times = [transform.time for transform in seen.frames(f"{prefix}{identity}")]
            if times:
                over = max(times) - last
                yield (
                    None
                    if over < seen.patience
                    else f"{prefix}<id> goes on for {over:.1f} s after the id left the list"
                )


def _sensor_frame(seen: Recording, kind: str, prefix: str) -> Iterator[str | None]:
    for identity, (first, last) in seen.stays(kind).items():
        frames = seen.frames(f"{prefix}_{identity}")
        if not frames:
            if last - first >= seen.patience:
                yield f"TF has no {prefix}_<id>"
            continue
        sensors = {message.frame_id.lstrip("/") for message in seen.of(f"/humans/{kind}/{identity}/roi")} - {""}
        for frame in frames:
            if sensors and frame.parent not in sensors:
                yield f"{prefix}_<id> hangs below {frame.parent!r}, not below the sensor's frame {min(sensors)!r}"
            elif seen.of_an_image(frame.stamp_ns) is False:
                yield f"{prefix}_<id>: the stamp is that of no image"
            else:
                yield None


def _lying_faces(seen: Recording, identity: str) -> list[bool]:
    frames = {transform.stamp_ns: transform for transform in seen.frames(f"face_{identity}")}
    wrong = []
    for message in seen.of(f"/humans/faces/{identity}/landmarks"):
        camera, points = seen.cameras.get(message.frame_id), np.asarray(message.value)
        if message.stamp_ns in frames:
            pixels = points[:, :2] * ((camera.width, camera.height) if camera else (4, 3))
            wrong += _astray(frames[message.stamp_ns].rotation[:2, 2], pixels[_SELLION] - pixels[_CHIN])
    return wrong


def _gaze(face: Transform, gaze: Transform) -> str | None:
    position, rotation = gaze.position, gaze.rotation
    if gaze.parent == face.parent:  # else it hangs below the face
        position = face.rotation.T @ (position - face.position)
        rotation = face.rotation.T @ rotation
    if np.linalg.norm(position) > _APART:
        return "gaze_<id> is not where face_<id> is"
    if rotation[0, 2] < np.cos(np.radians(_EYES)):
        return "gaze_<id>: z does not look out of the face"
    return None if rotation[2, 1] < 0 else "gaze_<id>: y does not point down"


def _astray(axis: FloatArray, shown: FloatArray) -> list[bool]:
    """Whether an axis, as the image shows it, is off; nothing where one of the two is seen end-on."""
    length, size = np.linalg.norm(axis), np.linalg.norm(shown)
    if length < _FORESHORTENED or size < 1e-6:
        return []
    return [bool(axis @ shown / (length * size) < np.cos(np.radians(_ASTRAY)))]


def _mostly(wrong: list[bool], complaint: str) -> str | None:
    return complaint if np.mean(wrong) > _MIXED else None


def _suffix(frame: str, ids: set[str]) -> bool:
    return "/" not in frame and any(frame.endswith(f"_{identity}") for identity in ids)


def _generic(frame: str, ids: set[str]) -> str:
    identity = max((i for i in ids if frame.endswith(f"_{i}")), key=len)
    return f"{frame.removesuffix(f'_{identity}')}_<id>"
