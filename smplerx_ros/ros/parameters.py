"""Parameter tables as ROS parameters: declared, described, and validated at start and on every change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from smplerx_ros.config.parameter import Parameter, Value, unknown_parameter
from smplerx_ros.config.table import PARAMETERS, ROS_PARAMETERS
from smplerx_ros.errors import ConfigError

from .qos import PREFIX

NODE_PARAMETERS = (*PARAMETERS, *ROS_PARAMETERS)
# Declared by rclpy itself.
_RCLPY_PARAMETERS = ("use_sim_time", "start_type_description_service")
_ROS_TYPES = {
    bool: RosParameter.Type.BOOL,
    int: RosParameter.Type.INTEGER,
    float: RosParameter.Type.DOUBLE,
    str: RosParameter.Type.STRING,
    tuple: RosParameter.Type.STRING_ARRAY,
}
_ARRAYS = tuple(kind for kind in RosParameter.Type if kind.name.endswith("ARRAY"))

Apply = Callable[[list[RosParameter]], SetParametersResult]


class TableParameters:
    """Declares a table of parameters on a node, with the values of its overrides.

    Unknown overrides only cause a warning, since a parameter file may serve several versions and several nodes.

    Args:
        node: Node to declare on.
        table: The parameters.
        fixed: Returns why a parameter cannot be changed now; empty if it can.
        of_others: Names of other nodes' parameters, which cause no warning.

    Raises:
        ConfigError: An override is invalid.
    """

    def __init__(
        self, node: Node, table: Iterable[Parameter], fixed: Callable[[Parameter], str], of_others: Iterable[str] = ()
    ) -> None:
        self._node = node
        self._table = {parameter.name: parameter for parameter in table}
        self._fixed = fixed
        overrides = node._parameter_overrides
        known = {*self._table, *_RCLPY_PARAMETERS, *of_others}
        for name in overrides:
            if name not in known and not name.startswith(PREFIX):
                node.get_logger().warning(f"{unknown_parameter(name, self._table)}: it has no effect")
        for parameter in self._table.values():
            given = overrides.get(parameter.name)
            self._declare(parameter, parameter.default if given is None else _checked_value(parameter, given))
        node.add_on_set_parameters_callback(self._checked)

    def __getitem__(self, name: str) -> Any:
        return self._table[name].check(self._node.get_parameter(name).value)

    def set(self, changes: Sequence[RosParameter], apply: Apply) -> SetParametersResult:
        """Convert the changes to the table's types and apply them; a refusal names the parameter.

        Integers are accepted for floats and strings of digits, as YAML and `ros2 param set` write them, a string for a
        list of one, and an empty list of any type for an empty list of strings; rclpy would refuse them without naming
        the parameter. Read-only parameters may be set to their present value, as `ros2 param load` does.
        """
        try:
            typed = [self._typed(change) for change in changes]
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return apply([change for change in typed if not self._is_present_and_read_only(change)])

    def _is_present_and_read_only(self, change: RosParameter) -> bool:
        """Whether this is the value of a read-only parameter, which rclpy would refuse."""
        if not self._node.describe_parameter(change.name).read_only:
            return False
        present = self._node.get_parameter(change.name)
        return (present.type_, present.value) == (change.type_, change.value)

    def _declare(self, parameter: Parameter, value: Value) -> None:
        if not isinstance(value, tuple):
            self._node.declare_parameter(parameter.name, value, describe(parameter), ignore_override=True)
            return
        # rclpy cannot see what an empty list is a list of.
        kind = _ROS_TYPES[parameter.type]
        self._node.declare_parameter(parameter.name, kind, describe(parameter), ignore_override=True)
        self._node.set_parameters([_ros_parameter(parameter, value)])

    def _typed(self, change: RosParameter) -> RosParameter:
        parameter = self._table.get(change.name)
        if parameter is not None:
            return _ros_parameter(parameter, _checked_value(parameter, change))
        if not self._node.has_parameter(change.name):
            raise ConfigError(unknown_parameter(change.name, self._table))
        return change

    def _checked(self, changes: list[RosParameter]) -> SetParametersResult:
        """Validate changes without acting on them, since another callback may still refuse them."""
        for change in changes:
            parameter = self._table.get(change.name)
            if parameter is None:
                continue
            try:
                value = _checked_value(parameter, change)
            except ConfigError as error:
                return SetParametersResult(successful=False, reason=str(error))
            reason = self._fixed(parameter)
            if (
                reason and value != self[change.name]
            ):  # `ros2 param load` sets all parameters, most of them to their current value
                return SetParametersResult(successful=False, reason=f"parameter {change.name!r} {reason}")
        return SetParametersResult(successful=True)


class NodeParameters(TableParameters):
    """The parameters of the node; `configured()` returns whether those that are not live are in use."""

    def __init__(self, node: Node, configured: Callable[[], bool]) -> None:
        def fixed(parameter: Parameter) -> str:
            in_use = configured() and not parameter.live
            return "is read when the node is configured: deactivate and clean up first" if in_use else ""

        super().__init__(node, NODE_PARAMETERS, fixed)

    def of_estimator(self) -> dict[str, Any]:
        """The values for `Estimator.from_config`."""
        return {parameter.name: self[parameter.name] for parameter in PARAMETERS}

    def live_of_estimator(self) -> dict[str, Any]:
        """The values for `Estimator.update`."""
        return {parameter.name: self[parameter.name] for parameter in PARAMETERS if parameter.live}


def _plain(given: RosParameter) -> object:
    """The value as a Python object. In ROS an empty list has no type and no value, or any type."""
    if given.type_ == RosParameter.Type.NOT_SET:
        return []
    return list(given.value) if given.type_ in _ARRAYS else given.value


def _checked_value(parameter: Parameter, given: RosParameter) -> Value:
    """The value in the parameter's type; a string stands for a list of one, as in `cameras:=front`."""
    value = _plain(given)
    return parameter.check([value] if parameter.type is tuple and isinstance(value, str) else value)


def _ros_parameter(parameter: Parameter, value: Value) -> RosParameter:
    kind = _ROS_TYPES[parameter.type]
    return RosParameter(parameter.name, kind, list(value) if isinstance(value, tuple) else value)


def describe(parameter: Parameter) -> ParameterDescriptor:
    """The descriptor that `ros2 param describe` shows."""
    descriptor = ParameterDescriptor(name=parameter.name, description=parameter.description)
    descriptor.additional_constraints = parameter.allowed
    if parameter.range is not None:
        least, most = parameter.range
        least = min(least, 0) if parameter.zero else least
        if parameter.type is int:
            descriptor.integer_range = [IntegerRange(from_value=int(least), to_value=int(most))]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=float(least), to_value=float(most))]
    return descriptor
