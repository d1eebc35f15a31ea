"""The camera's pose in the parameter `target_frame`, from TF."""

from __future__ import annotations

import numpy as np
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from smplerx_ros.body.placement import Placement
from smplerx_ros.errors import ConfigError, InputError

_LOOKUP_TIMEOUT = Duration(seconds=0.1)  # transforms often arrive a little later than the image


class TargetFrame:
    """Looks up the camera's pose. Raises ConfigError if tf2_ros is not installed."""

    def __init__(self, node: Node, name: str) -> None:
        try:
            from tf2_ros import Buffer, TransformListener
        except ImportError as error:
            raise ConfigError(
                f"parameter 'target_frame': {name!r} needs tf2_ros (ros-<distribution>-tf2-ros-py), which cannot be "
                f"imported: {error}; leave it empty for the camera's own frame"
            ) from error
        self.name = name.lstrip("/")
        self._buffer = Buffer()
        self._listener = TransformListener(self._buffer, node)

    def placement(self, header: Header) -> Placement:
        """Pose of the frame `header.frame_id` at the image's stamp. Raises InputError if TF does not know it."""
        from tf2_ros import TransformException

        camera = header.frame_id.lstrip("/")
        try:
            found = self._buffer.lookup_transform(self.name, camera, Time.from_msg(header.stamp), _LOOKUP_TIMEOUT)
        except TransformException as error:
            raise InputError(
                f"target_frame {self.name!r}: no transform from {camera!r} at the image's time: {error}; publish it "
                f"(ros2 run tf2_ros tf2_echo {self.name} {camera} shows it), or leave target_frame empty"
            ) from error
        t, q = found.transform.translation, found.transform.rotation
        rotation = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
        return Placement(rotation, np.array([t.x, t.y, t.z]))

    def destroy(self) -> None:
        """Unsubscribe from TF."""
        self._listener.unregister()
