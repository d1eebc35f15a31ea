"""People to PersonArray; unknown values are NaN."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import PoseWithCovariance
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from vision_msgs.msg import BoundingBox2D

from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.rotations import quaternion_from_rotvec
from smplerx_ros.geometry.uncertainty import with_unknown_as_large
from smplerx_ros.msg import Person, PersonArray
from smplerx_ros.types import PARAM_SIZES, Gender, People
from smplerx_ros.types import Person as PersonData


def person_array(
    people: People,
    header: Header,
    camera_info: CameraInfo,
    frame_prefixes: Sequence[str] = (),
    pool: list[Person] | None = None,
) -> PersonArray:
    """The message of one image.

    Args:
        people: Estimated people.
        header: Stamp of the image, and the frame that the people are in.
        camera_info: Of the image, as used.
        frame_prefixes: Prefixes of the people's TF frames; empty: they have none.
        pool: Person messages to reuse and extend, because creating them takes most of the time. The returned message
            is then valid until the next call.
    """
    pool = [] if pool is None else pool
    pool += [Person() for _ in range(len(people.people) - len(pool))]
    known, assumed = PersonArray.CAMERA_SOURCE_CAMERA_INFO, PersonArray.CAMERA_SOURCE_DEFAULT_FOV
    prefixes = frame_prefixes or [""] * len(people.people)
    gender = Gender.of(people.body_model)
    return PersonArray(
        header=header,
        camera_info=camera_info,
        camera_source=known if people.camera.calibrated else assumed,
        backbone=people.backbone,
        body_model=people.body_model,
        people=[_filled(*part, gender) for part in zip(pool, people.people, prefixes, strict=False)],
        num_not_estimated=people.num_not_estimated,
        degraded=int(people.degraded),
    )


def _filled(message: Person, person: PersonData, frame_prefix: str, gender: Gender) -> Person:
    message.id, message.frame_prefix, message.score = person.id, frame_prefix, float(person.score)
    _fill_duration(message.time_since_detection, person.since_detection_s)
    _fill_box(message.bbox, person.box)
    _fill_pose(message.pose, person)
    message.distance_source = int(person.distance_source)
    for name in ("root_velocity", "left_wrist_velocity", "right_wrist_velocity"):
        vector = getattr(message, name)
        vector.x, vector.y, vector.z = getattr(person, name).tolist()
    params, values = message.params, person.params
    params.gender, params.estimated = int(gender), int(values.estimated)
    for name in PARAM_SIZES:
        setattr(params, name, getattr(values, name))
    for point, (x, y, z) in zip(message.joints, person.joints.tolist(), strict=True):
        point.x, point.y, point.z = x, y, z
    message.joints_image = np.asarray(person.joints_image, np.float32).ravel()
    message.joints_in_image = person.joints_in_image.tolist()
    message.confidence = np.asarray(person.confidence, np.float32)
    return message


def _fill_pose(message: PoseWithCovariance, person: PersonData) -> None:
    position, orientation = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = person.joints[0].tolist()
    quaternion = quaternion_from_rotvec(person.params.global_orient.tolist())
    orientation.x, orientation.y, orientation.z, orientation.w = quaternion
    message.covariance = with_unknown_as_large(person.pose_covariance).ravel()


def _fill_box(message: BoundingBox2D, box: Box) -> None:
    centre = message.center.position
    centre.x, centre.y = 0.5 * float(box.x0 + box.x1), 0.5 * float(box.y0 + box.y1)
    message.size_x, message.size_y = float(box.width), float(box.height)


def _fill_duration(message: Duration, seconds: float) -> None:
    """NaN (unknown) becomes -1 s."""
    nanoseconds = round(seconds * 1e9) if isfinite(seconds) else -1_000_000_000
    message.sec, message.nanosec = divmod(nanoseconds, 1_000_000_000)
