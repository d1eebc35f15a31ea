"""People to PersonArray: every value in place, unknown values NaN."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from builtin_interfaces.msg import Duration
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from ..msg import Person, PersonArray, StageTime
from ..types import PARAM_SIZES, Box
from ..types import Person as PersonData

if TYPE_CHECKING:
    from ..estimator import People


def person_array(
    people: People, header: Header, frame_prefixes: Sequence[str] = (), pool: list[Person] | None = None
) -> PersonArray:
    """The message for one image; `header` is the image's, `frame_prefixes` are those of the people's TF frames, if any.

    `pool`: messages of people to be used again and added to, since making them costs most; then the message is valid
    until the next call.
    """
    pool = [] if pool is None else pool
    pool += [Person() for _ in range(len(people.people) - len(pool))]
    known, assumed = PersonArray.CAMERA_SOURCE_CAMERA_INFO, PersonArray.CAMERA_SOURCE_DEFAULT_FOV
    prefixes = frame_prefixes or [""] * len(people.people)
    height, width = people.frame.image.shape[:2]
    return PersonArray(
        header=header,
        backbone=people.backbone,
        body_model=people.body_model,
        runtime=people.runtime,
        camera_source=known if people.camera.calibrated else assumed,
        stages=[StageTime(name=name, duration=_duration(s)) for name, s in people.stage_seconds.items()],
        people=[_filled(*part, width, height) for part in zip(pool, people.people, prefixes, strict=False)],
        left_out=people.left_out,
        degraded=people.degraded,
    )


def region_of_interest(box: Box, width: int, height: int) -> RegionOfInterest:
    """Whole pixels that `box` touches inside a `width` x `height` image; 0x0 where it lies outside."""
    x0, x1 = (min(max(edge, 0), width) for edge in (floor(box.x0), ceil(box.x1)))
    y0, y1 = (min(max(edge, 0), height) for edge in (floor(box.y0), ceil(box.y1)))
    return RegionOfInterest(x_offset=x0, y_offset=y0, width=x1 - x0, height=y1 - y0)


def _filled(message: Person, person: PersonData, frame_prefix: str, width: int, height: int) -> Person:
    message.id, message.frame_prefix, message.score = person.id, frame_prefix, float(person.score)
    message.box = region_of_interest(person.box, width, height)
    message.params.estimated = int(person.params.estimated)
    for name in PARAM_SIZES:
        setattr(message.params, name, getattr(person.params, name))
    for point, (x, y, z) in zip(message.joints, person.joints.tolist(), strict=True):
        point.x, point.y, point.z = x, y, z
    message.joints_image = np.asarray(person.joints_image, np.float32).ravel()
    message.confidence = np.asarray(person.confidence, np.float32)
    message.pose_covariance = np.asarray(person.pose_covariance, np.float64).ravel()
    for name in ("root_velocity", "left_wrist_velocity", "right_wrist_velocity"):
        vector = getattr(message, name)
        vector.x, vector.y, vector.z = getattr(person, name).tolist()
    return message


def _duration(seconds: float) -> Duration:
    nanoseconds = round(seconds * 1e9)
    return Duration(sec=nanoseconds // 1_000_000_000, nanosec=nanoseconds % 1_000_000_000)
