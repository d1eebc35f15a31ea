"""Everything that leaves the node for one frame's people, and nothing that nobody asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import MarkerArray

from ..body import BodyModel
from ..msg import PersonArray
from ..viewer.overlay import draw_people
from .image import message_from_image
from .markers import MarkerWriter
from .messages import person_array
from .transforms import TransformWriter

if TYPE_CHECKING:
    from ..estimator import People

RESULTS_DEPTH = 5  # reliable; a late reader gets the last few frames and never holds up the node
TF_DEPTH = 100  # what tf2_ros uses


@dataclass(frozen=True)
class OutputOptions:
    """What can be switched while the node runs."""

    tf: bool
    markers_mesh: bool


class Output:
    """The publishers of results, active and inactive with the node."""

    def __init__(self, node: LifecycleNode, body: BodyModel) -> None:
        self._node = node
        self._body = body
        self._markers = MarkerWriter(body)
        self._transforms = TransformWriter(body)
        self._last_header = Header()
        self._people_publisher = self._publisher(PersonArray, "~/people", RESULTS_DEPTH)
        self._tf_publisher = self._publisher(TFMessage, "/tf", TF_DEPTH)
        self._marker_publisher = self._publisher(MarkerArray, "~/markers", RESULTS_DEPTH)
        self._overlay_publisher = self._publisher(Image, "~/overlay", 1)

    def publish(self, people: People, header: Header, options: OutputOptions) -> None:
        """Send one frame: people and TF first, then what is only to be looked at."""
        self._last_header = header
        self._people_publisher.publish(person_array(people, header))
        # TF has no place for a camera without a name.
        if options.tf and people.people and header.frame_id:
            self._tf_publisher.publish(self._transforms.update(people.people, header))
        if self._marker_publisher.get_subscription_count():
            self._marker_publisher.publish(self._markers.update(people.people, header, mesh=options.markers_mesh))
        if self._overlay_publisher.get_subscription_count():
            drawn = draw_people(people.frame.image, people.people, self._body, people.camera)
            self._overlay_publisher.publish(message_from_image(drawn, Image(header=header)))

    def clear(self) -> None:
        """Take down the markers: nobody is seen any more."""
        deletions = self._markers.clear(self._last_header)
        if deletions.markers:
            self._marker_publisher.publish(deletions)

    def destroy(self) -> None:
        """Free the publishers."""
        publishers = (self._people_publisher, self._tf_publisher, self._marker_publisher, self._overlay_publisher)
        for publisher in publishers:
            self._node.destroy_lifecycle_publisher(publisher)

    def _publisher(self, kind: type[Any], topic: str, depth: int) -> Any:
        options = QoSOverridingOptions.with_default_policies()
        return self._node.create_lifecycle_publisher(
            kind, topic, QoSProfile(depth=depth), qos_overriding_options=options
        )
