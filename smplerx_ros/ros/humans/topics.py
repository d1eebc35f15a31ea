"""The topics of one body or face under /humans, which exist as long as it is tracked."""

from __future__ import annotations

from typing import Any

from hri_msgs.msg import FacialLandmarks, NormalizedRegionOfInterest2D, Skeleton2D
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header, String

from smplerx_ros.arrays import RgbImage
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.rep155.crops import normalized_box
from smplerx_ros.rep155.description import MOVING, BodyDescription
from smplerx_ros.ros.conversions.image import message_from_image
from smplerx_ros.ros.event_callbacks import PublisherEventCallbacks

# Reliable and volatile, as pyhri and libhri subscribe (system defaults); lists and URDFs are latched.
RESULTS = QoSProfile(depth=5)
# rclpy never frees the event handlers of a publisher, and iterates over all of them.
NO_EVENTS = PublisherEventCallbacks(use_default_callbacks=False)
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class Topics:
    """Publishers in one namespace, by the last part of the topic's name."""

    def __init__(self, node: Node, namespace: str, kinds: dict[str, type[Any]]) -> None:
        self._node = node
        self._publishers = {
            name: node.create_publisher(
                kind, f"{namespace}/{name}", LATCHED if name == "urdf" else RESULTS, event_callbacks=NO_EVENTS
            )
            for name, kind in kinds.items()
        }

    def wanted(self, name: str) -> bool:
        """Whether the topic exists and has subscribers."""
        return name in self._publishers and bool(self._publishers[name].get_subscription_count())

    def publish(self, name: str, message: Any) -> None:
        """Publish a message on the topic `name`."""
        self._publishers[name].publish(message)

    def destroy(self) -> None:
        """Destroy the publishers."""
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)

    def publish_region(self, header: Header, box: Box, score: float, width: int, height: int) -> None:
        """Publish the box as `roi`, if it has subscribers."""
        if not self.wanted("roi"):
            return
        xmin, ymin, xmax, ymax = normalized_box(box, width, height)
        message = NormalizedRegionOfInterest2D(header=header, xmin=xmin, ymin=ymin, xmax=xmax, ymax=ymax, c=score)
        self.publish("roi", message)

    def publish_cropped(self, header: Header, image: RgbImage) -> None:
        """Publish the image as `cropped`."""
        self.publish("cropped", message_from_image(image, Image(header=header)))


class BodyTopics(Topics):
    """Topics below /humans/bodies/<id>."""

    def __init__(self, node: Node, identity: str) -> None:
        kinds = {
            "roi": NormalizedRegionOfInterest2D,
            "cropped": Image,
            "skeleton2d": Skeleton2D,
            "joint_states": JointState,
            "urdf": String,
        }
        super().__init__(node, f"/humans/bodies/{identity}", kinds)
        self._identity = identity
        self._joints = [f"{joint.name}_{identity}" for joint in MOVING]

    def publish_urdf(self, description: BodyDescription) -> None:
        """Publish the kinematic model of the body."""
        self.publish("urdf", String(data=description.urdf(self._identity)))

    def publish_joint_states(self, header: Header, angles: list[float]) -> None:
        """Publish angles, radians, in the order of MOVING, if the topic has subscribers."""
        if not self.wanted("joint_states"):
            return
        self.publish("joint_states", JointState(header=header, name=self._joints, position=angles))

    def publish_skeleton(self, header: Header, points: list[list[float]]) -> None:
        """Publish 18 points (x, y, confidence), normalized."""
        message = Skeleton2D(header=header)
        _fill(message.skeleton, points)
        self.publish("skeleton2d", message)


class FaceTopics(Topics):
    """Topics below /humans/faces/<id>; `landmarks` only if the backbone estimates them."""

    def __init__(self, node: Node, identity: str, landmarks: bool) -> None:
        kinds: dict[str, type[Any]] = {"roi": NormalizedRegionOfInterest2D, "cropped": Image}
        super().__init__(
            node, f"/humans/faces/{identity}", kinds | ({"landmarks": FacialLandmarks} if landmarks else {})
        )

    def publish_landmarks(self, header: Header, points: list[list[float]], width: int, height: int) -> None:
        """Publish 70 points (x, y, confidence), normalized to a `width` x `height` image."""
        message = FacialLandmarks(header=header, width=width, height=height)
        _fill(message.landmarks, points)
        self.publish("landmarks", message)


def _fill(messages: Any, points: list[list[float]]) -> None:
    for message, (x, y, c) in zip(messages, points, strict=True):
        message.x, message.y, message.c = x, y, c
