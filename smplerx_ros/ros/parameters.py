"""The parameter table as ROS parameters: declared, described, and checked at start and on every change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from ..config import PARAMETERS, ROS_PARAMETERS, Parameter, Value, suggestion
from ..errors import ConfigError
from .qos import PREFIX

TABLE = {parameter.name: parameter for parameter in (*PARAMETERS, *ROS_PARAMETERS)}
# Declared by rclpy itself, or by the endpoints that it is about.
_RCLPY_PARAMETERS = ("use_sim_time", "start_type_description_service")


class NodeParameters:
    """Declares the table on a node, with the values of its overrides.

    Raises ConfigError for an override that cannot be used; one with an unknown name is only warned of, since parameter
    files may serve several versions. `configured()` says whether parameters that are not live are in use.
    """

    def __init__(self, node: Node, configured: Callable[[], bool]) -> None:
        self._node = node
        self._configured = configured
        overrides = node._parameter_overrides
        for name in overrides:
            if name not in (*TABLE, *_RCLPY_PARAMETERS) and not name.startswith(PREFIX):
                node.get_logger().warning(f"unknown parameter {name!r} has no effect{suggestion(name, TABLE)}")
        for parameter in TABLE.values():
            given = overrides.get(parameter.name)
            self._declare(parameter, parameter.default if given is None else parameter.check(_value(parameter, given)))
        node.add_on_set_parameters_callback(self._checked)

    def __getitem__(self, name: str) -> Any:
        return TABLE[name].check(self._node.get_parameter(name).value)

    def of_estimator(self) -> dict[str, Any]:
        """What `Estimator.from_config` takes."""
        return {parameter.name: self[parameter.name] for parameter in PARAMETERS}

    def live_of_estimator(self) -> dict[str, Any]:
        """What `Estimator.update` takes."""
        return {parameter.name: self[parameter.name] for parameter in PARAMETERS if parameter.live}

    def _declare(self, parameter: Parameter, value: Value) -> None:
        if not isinstance(value, tuple):
            self._node.declare_parameter(parameter.name, value, describe(parameter), ignore_override=True)
            return
        # rclpy cannot see what an empty list is a list of.
        kind = RosParameter.Type.STRING_ARRAY
        self._node.declare_parameter(parameter.name, kind, describe(parameter), ignore_override=True)
        self._node.set_parameters([RosParameter(parameter.name, kind, list(value))])

    def _checked(self, changes: list[RosParameter]) -> SetParametersResult:
        """Whether the changes may be; nothing acts yet, since another callback may still refuse them."""
        for change in changes:
            parameter = TABLE.get(change.name)
            if parameter is None:
                continue
            try:
                parameter.check(change.value)
            except ConfigError as error:
                return SetParametersResult(successful=False, reason=str(error))
            if self._configured() and not parameter.live:
                reason = f"parameter {change.name!r} is read when the node is configured: deactivate and clean up first"
                return SetParametersResult(successful=False, reason=reason)
        return SetParametersResult(successful=True)


def _value(parameter: Parameter, given: RosParameter) -> Any:
    """ROS gives an empty list no type, and no value."""
    empty_list = given.type_ == RosParameter.Type.NOT_SET and parameter.type is tuple
    return () if empty_list else given.value


def describe(parameter: Parameter) -> ParameterDescriptor:
    """What `ros2 param describe` shows."""
    descriptor = ParameterDescriptor(name=parameter.name, description=parameter.description)
    descriptor.additional_constraints = parameter.allowed
    # YAML writes 60 for 60.0 and 0 for "0": integers are taken for numbers and indices, and checked here, not by rclpy.
    descriptor.dynamic_typing = parameter.type is float or parameter.index
    if parameter.range is not None:
        least, most = parameter.range
        least = min(least, 0) if parameter.zero else least
        if parameter.type is int:
            descriptor.integer_range = [IntegerRange(from_value=int(least), to_value=int(most))]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(least), to_value=float(most))]
    return descriptor
