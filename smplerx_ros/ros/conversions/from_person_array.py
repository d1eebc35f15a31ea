"""PersonArray to people and camera; for viewers, recorders and applications."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from geometry_msgs.msg import Vector3
from numpy.typing import NDArray
from vision_msgs.msg import BoundingBox2D

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.msg import Person as PersonMessage
from smplerx_ros.msg import PersonArray
from smplerx_ros.types import PARAM_SIZES, DistanceSource, Estimated, Person, SmplxParams

from .camera_info import camera_from_info

_LEAST_SIDE = 1e-3  # pixels of a box's side, which may be zero in a message


def people_from_message(message: PersonArray) -> tuple[Person, ...]:
    """The people of one image."""
    return tuple(_person(person) for person in message.people)


def camera_from_message(message: PersonArray, topic: str) -> Camera:
    """The camera that the people were estimated with. Raises InputError naming `topic` if it is invalid."""
    # P is needed only for an offset `centre`; otherwise K and P agree, and D may be set.
    beside = bool(np.any(np.array(message.camera_info.p).reshape(3, 4)[:, 3]))
    camera = camera_from_info(message.camera_info, f"{topic}: camera_info", rectified=beside)
    return replace(camera, calibrated=message.camera_source == PersonArray.CAMERA_SOURCE_CAMERA_INFO)


def stamp_ns(message: object) -> int:
    """The header stamp of a message, nanoseconds."""
    stamp = message.header.stamp  # type: ignore[attr-defined]
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _person(message: PersonMessage) -> Person:
    params, since = message.params, message.time_since_detection
    return Person(
        id=message.id,
        score=message.score,
        box=_box(message.bbox, message.score),
        params=SmplxParams(
            **{name: np.array(getattr(params, name), np.float32) for name in PARAM_SIZES},
            estimated=Estimated(params.estimated),
        ),
        joints=np.array([(point.x, point.y, point.z) for point in message.joints], np.float32),
        joints_image=np.array(message.joints_image, np.float32).reshape(-1, 2),
        confidence=np.array(message.confidence, np.float32),
        pose_covariance=np.array(message.pose.covariance, np.float64).reshape(6, 6),
        root_velocity=_vector(message.root_velocity),
        left_wrist_velocity=_vector(message.left_wrist_velocity),
        right_wrist_velocity=_vector(message.right_wrist_velocity),
        joints_in_image=np.array(message.joints_in_image, np.bool_),
        distance_source=_distance_source(message.distance_source),
        since_detection_s=float("nan") if since.sec < 0 else since.sec + since.nanosec * 1e-9,
    )


def _distance_source(value: int) -> DistanceSource:
    """UNKNOWN for values of later versions."""
    return DistanceSource(value) if value in DistanceSource.__members__.values() else DistanceSource.UNKNOWN


def _box(message: BoundingBox2D, score: float) -> Box:
    x, y = message.center.position.x, message.center.position.y
    half_width, half_height = (0.5 * max(size, _LEAST_SIDE) for size in (message.size_x, message.size_y))
    return Box(x - half_width, y - half_height, x + half_width, y + half_height, score)


def _vector(message: Vector3) -> NDArray[np.float64]:
    return np.array([message.x, message.y, message.z])
