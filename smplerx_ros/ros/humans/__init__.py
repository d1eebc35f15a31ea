"""REP-155 output: bodies and faces under /humans, if hri_msgs is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray
from rclpy.node import Node
from std_msgs.msg import Header

from smplerx_ros.body import BodyModel
from smplerx_ros.rep155.people import Bodies, BodyTracker

if TYPE_CHECKING:
    from smplerx_ros.types import People

    from .provider import Provider


class HumansOutput:
    """Converts people to bodies and faces (REP-155) and publishes them."""

    def __init__(self, tracker: BodyTracker, provider: Provider) -> None:
        self._tracker = tracker
        self._provider = provider

    @classmethod
    def create(cls, node: Node, body: BodyModel) -> HumansOutput | None:
        """The output; None, with a log message, if hri_msgs is not installed."""
        if find_spec("hri_msgs") is None:
            node.get_logger().info("rep155: hri_msgs is not installed, nothing is published under /humans")
            return None
        from .provider import Provider

        tracker = BodyTracker(body)
        return cls(tracker, Provider(node, body, tracker.forget))

    def publish(
        self, people: People, rotations: NDArray[Any] | None, header: Header, *, cropped: bool
    ) -> Bodies | None:
        """Publish the people of one frame; returns their bodies.

        `rotations`: optical_from_joint `(P, 55, 3, 3)`; None: there are no people.
        """
        bodies = None if rotations is None else self._tracker.update(people.people, rotations, people.camera)
        self._provider.publish(people, bodies, header, cropped=cropped)
        return bodies

    def figures(self) -> dict[str, str]:
        """Values for the diagnostics: number of clamped joint angles, and largest error of wrists and ankles."""
        counts = self._tracker.counts
        return {
            "rep155 angles limited": f"{counts.limited} of {counts.angles}",
            "rep155 largest residual (mm)": f"{1e3 * counts.largest_residual:.1f}",
        }

    def clear(self) -> None:
        """Publish that nobody is tracked."""
        self._provider.clear()

    def destroy(self) -> None:
        """Free the publishers."""
        self._provider.destroy()
