"""The parameter table as ROS parameters: declared, described, and checked at start and on every change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from ..config import PARAMETERS, ROS_PARAMETERS, Parameter, Value, suggestion
from ..errors import ConfigError

TABLE = {parameter.name: parameter for parameter in (*PARAMETERS, *ROS_PARAMETERS)}
# Declared by rclpy itself.
_RCLPY_PARAMETERS = ("use_sim_time", "start_type_description_service")
_RCLPY_PREFIX = "qos_overrides."


class NodeParameters:
    """Declares the table on a node that declares its overrides automatically.

    Raises ConfigError for an override that cannot be used; one with an unknown name is only warned of, since parameter
    files may serve several versions. `configured()` says whether parameters that are not live are in use;
    `changed(values)` is told of the estimator's live parameters that are set.
    """

    def __init__(self, node: Node, configured: Callable[[], bool], changed: Callable[[dict[str, Any]], None]) -> None:
        self._node = node
        self._configured = configured
        self._changed = changed
        overrides = node.get_parameters_by_prefix("")
        for name in overrides:
            if name not in (*TABLE, *_RCLPY_PARAMETERS) and not name.startswith(_RCLPY_PREFIX):
                node.get_logger().warning(f"unknown parameter {name!r} has no effect{suggestion(name, TABLE)}")
        for parameter in TABLE.values():
            value = parameter.default
            if parameter.name in overrides:
                value = parameter.check(overrides[parameter.name].value)
                node.undeclare_parameter(parameter.name)
            self._declare(parameter, value)
        node.add_on_set_parameters_callback(self._on_set)

    def __getitem__(self, name: str) -> Any:
        return TABLE[name].check(self._node.get_parameter(name).value)

    def of_estimator(self) -> dict[str, Any]:
        """What `Estimator.from_config` takes."""
        return {parameter.name: self[parameter.name] for parameter in PARAMETERS}

    def _declare(self, parameter: Parameter, value: Value) -> None:
        if not isinstance(value, tuple):
            self._node.declare_parameter(parameter.name, value, describe(parameter), ignore_override=True)
            return
        # rclpy cannot see what an empty list is a list of.
        kind = RosParameter.Type.STRING_ARRAY
        self._node.declare_parameter(parameter.name, kind, describe(parameter), ignore_override=True)
        self._node.set_parameters([RosParameter(parameter.name, kind, list(value))])

    def _on_set(self, changes: list[RosParameter]) -> SetParametersResult:
        live: dict[str, Any] = {}
        for change in changes:
            parameter = TABLE.get(change.name)
            if parameter is None:
                continue
            try:
                value = parameter.check(change.value)
            except ConfigError as error:
                return SetParametersResult(successful=False, reason=str(error))
            if self._configured() and not parameter.live:
                reason = f"parameter {change.name!r} is read when the node is configured: deactivate and clean up first"
                return SetParametersResult(successful=False, reason=reason)
            if parameter.live and parameter in PARAMETERS:
                live[change.name] = value
        if live:
            self._changed(live)
        return SetParametersResult(successful=True)


def describe(parameter: Parameter) -> ParameterDescriptor:
    """What `ros2 param describe` shows."""
    descriptor = ParameterDescriptor(name=parameter.name, description=parameter.description)
    descriptor.additional_constraints = parameter.allowed
    # YAML writes 60 for 60.0: integers are taken for numbers, and checked here instead of by rclpy.
    descriptor.dynamic_typing = parameter.type is float
    if parameter.range is not None:
        least, most = parameter.range
        least = min(least, 0) if parameter.zero else least
        if parameter.type is int:
            descriptor.integer_range = [IntegerRange(from_value=int(least), to_value=int(most))]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(least), to_value=float(most))]
    return descriptor
