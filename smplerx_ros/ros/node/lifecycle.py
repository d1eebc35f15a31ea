"""Workarounds for rclpy's lifecycle nodes in the releases that this package supports."""

from __future__ import annotations

from functools import wraps
from typing import Any

from lifecycle_msgs.srv import ChangeState
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode


def answer_invalid_transitions(node: LifecycleNode) -> None:
    """Answer requests for invalid transitions with `success = False`.

    Without rclpy's pull request 1319 the service callback raises, which ends the process.
    """
    service = getattr(node, "_service_change_state", None)
    if service is None:
        return
    change_state = service.callback

    @wraps(change_state)
    def answered(request: ChangeState.Request, response: ChangeState.Response) -> Any:
        try:
            return change_state(request, response)
        except rclpy_implementation.RCLError as error:
            node.get_logger().warning(
                f"transition {request.transition.id} {request.transition.label!r} refused: {error}"
            )
            response.success = False
            return response

    service.callback = answered
