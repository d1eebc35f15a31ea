"""Everything that leaves the node for one frame's people, and nothing that nobody asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
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


@dataclass
class _View:
    """What is shown of one camera's people."""

    markers: MarkerWriter
    overlay_publisher: Any
    header: Header  # the last


class Output:
    """The publishers of results, active and inactive with the node; `cameras` are named as in `Frame.source`.

    People and markers of all cameras go out on one topic, each camera's overlay on its own, `~/<camera>/overlay`.
    """

    def __init__(self, node: LifecycleNode, body: BodyModel, cameras: Sequence[str] = ("",)) -> None:
        self._node = node
        self._body = body
        self._transforms = TransformWriter(body)
        self._people_publisher = self._publisher(PersonArray, "~/people", RESULTS_DEPTH)
        self._tf_publisher = self._publisher(TFMessage, "/tf", TF_DEPTH)
        self._marker_publisher = self._publisher(MarkerArray, "~/markers", RESULTS_DEPTH)
        marker_numbers = count(1)
        self._views = {
            camera: _View(
                MarkerWriter(body, marker_numbers),
                self._publisher(Image, f"~/{camera}/overlay" if camera else "~/overlay", 1),
                Header(),
            )
            for camera in cameras
        }

    def publish(self, people: People, header: Header, options: OutputOptions) -> None:
        """Send one frame: people and TF first, then what is only to be looked at."""
        view = self._views[people.frame.source]
        view.header = header
        self._people_publisher.publish(person_array(people, header))
        # TF has no place for a camera without a name.
        if options.tf and people.people and header.frame_id:
            self._tf_publisher.publish(self._transforms.update(people.people, header))
        if self._marker_publisher.get_subscription_count():
            self._marker_publisher.publish(view.markers.update(people.people, header, mesh=options.markers_mesh))
        if view.overlay_publisher.get_subscription_count():
            drawn = draw_people(people.frame.image, people.people, self._body, people.camera)
            view.overlay_publisher.publish(message_from_image(drawn, Image(header=header)))

    def clear(self) -> None:
        """Take down the markers: nobody is seen any more."""
        for view in self._views.values():
            deletions = view.markers.clear(view.header)
            if deletions.markers:
                self._marker_publisher.publish(deletions)

    def destroy(self) -> None:
        """Free the publishers."""
        publishers = (self._people_publisher, self._tf_publisher, self._marker_publisher)
        for publisher in (*publishers, *(view.overlay_publisher for view in self._views.values())):
            self._node.destroy_lifecycle_publisher(publisher)

    def _publisher(self, kind: type[Any], topic: str, depth: int) -> Any:
        options = QoSOverridingOptions.with_default_policies()
        return self._node.create_lifecycle_publisher(
            kind, topic, QoSProfile(depth=depth), qos_overriding_options=options
        )
