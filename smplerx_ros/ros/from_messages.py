"""PersonArray back to people: for whatever records or shows them."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import Vector3
from numpy.typing import NDArray

from ..msg import Person as PersonMessage
from ..msg import PersonArray
from ..types import PARAM_SIZES, Box, Estimated, Person, SmplxParams


def people_from_message(message: PersonArray) -> tuple[Person, ...]:
    """The people of one frame. A box is what the image shows of it; one outside the image is a single pixel wide."""
    return tuple(_person(person) for person in message.people)


def stamp_ns(message: object) -> int:
    """The stamp of a message with a header, in nanoseconds."""
    stamp = message.header.stamp  # type: ignore[attr-defined]
    return int(stamp.sec) * 1_000_000_000 + int(stamp.nanosec)


def _person(message: PersonMessage) -> Person:
    box, params = message.box, message.params
    x0, y0, width, height = box.x_offset, box.y_offset, max(box.width, 1), max(box.height, 1)
    return Person(
        id=message.id,
        score=message.score,
        box=Box(x0, y0, x0 + width, y0 + height, message.score),
        params=SmplxParams(
            **{name: np.array(getattr(params, name), np.float32) for name in PARAM_SIZES},
            estimated=Estimated(params.estimated),
        ),
        joints=np.array([(point.x, point.y, point.z) for point in message.joints], np.float32),
        joints_image=np.array(message.joints_image, np.float32).reshape(-1, 2),
        confidence=np.array(message.confidence, np.float32),
        pose_covariance=np.array(message.pose_covariance, np.float64).reshape(6, 6),
        root_velocity=_vector(message.root_velocity),
        left_wrist_velocity=_vector(message.left_wrist_velocity),
        right_wrist_velocity=_vector(message.right_wrist_velocity),
    )


def _vector(message: Vector3) -> NDArray[np.float64]:
    return np.array([message.x, message.y, message.z])
