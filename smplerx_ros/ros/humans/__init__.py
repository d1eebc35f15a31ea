"""REP-155 on the graph: bodies and faces under /humans, where hri_msgs is installed."""

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
    """The people as REP-155's bodies and faces, and their provider."""

    def __init__(self, tracker: BodyTracker, provider: Provider) -> None:
        self._tracker = tracker
        self._provider = provider

    @classmethod
    def create(cls, node: Node, body: BodyModel) -> HumansOutput | None:
        """None where the messages are not installed; then the log says so."""
        if find_spec("hri_msgs") is None:
            node.get_logger().info("rep155: hri_msgs is not installed, nothing is published under /humans")
            return None
        from .provider import Provider

        tracker = BodyTracker(body)
        return cls(tracker, Provider(node, body, tracker.forget))

    def publish(
        self, people: People, rotations: NDArray[Any] | None, header: Header, *, cropped: bool
    ) -> Bodies | None:
        """One frame's people with their joints' rotations `(P, 55, 3, 3)`; answers what was made of them."""
        bodies = None if rotations is None else self._tracker.update(people.people, rotations, people.camera)
        self._provider.publish(people, bodies, header, cropped=cropped)
        return bodies

    def figures(self) -> dict[str, str]:
        """For diagnostics: angles that had to be limited, and how far wrists and ankles are off."""
        counts = self._tracker.counts
        return {
            "rep155 angles limited": f"{counts.limited} of {counts.angles}",
            "rep155 largest residual (mm)": f"{1e3 * counts.largest_residual:.1f}",
        }

    def clear(self) -> None:
        """Nobody is seen any more."""
        self._provider.clear()

    def destroy(self) -> None:
        """Free the publishers."""
        self._provider.destroy()
