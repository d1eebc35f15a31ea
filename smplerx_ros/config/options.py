"""Options of an estimator: the parameters of the table as the fields of a dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .table import PARAMETERS, check_live, validate

_DEFAULT: dict[str, Any] = {parameter.name: parameter.default for parameter in PARAMETERS}


@dataclass(frozen=True)
class Options:
    """The estimator's parameters, as described in docs/reference/parameters.md; dots are replaced by underscores.

    Raises:
        ConfigError: If a value is out of range or of the wrong type; the message names the parameter.
    """

    backbone: str = _DEFAULT["backbone"]
    weights: str = _DEFAULT["weights"]
    body_model: str = _DEFAULT["body_model"]
    runtime: str = _DEFAULT["runtime"]
    device: str = _DEFAULT["device"]
    precision: str = _DEFAULT["precision"]
    gpu_mode: str = _DEFAULT["gpu_mode"]
    threads: int = _DEFAULT["threads"]
    detector: str = _DEFAULT["detector"]
    detection_model: str = _DEFAULT["detection.model"]
    detection_format: str = _DEFAULT["detection.format"]
    detection_class: str = _DEFAULT["detection.class"]
    detection_threshold: float = _DEFAULT["detection.threshold"]
    detection_interval: int = _DEFAULT["detection.interval"]
    max_people: int = _DEFAULT["max_people"]
    tracker_max_age: float = _DEFAULT["tracker.max_age"]
    id_prefix: str = _DEFAULT["id_prefix"]
    latency_budget_ms: float = _DEFAULT["latency.budget_ms"]
    latency_fallback_weights: tuple[str, ...] = _DEFAULT["latency.fallback_weights"]
    person_height: float = _DEFAULT["person_height"]
    default_fov: float = _DEFAULT["default_fov"]
    smoothing_enabled: bool = _DEFAULT["smoothing.enabled"]
    smoothing_rotation_cutoff: float = _DEFAULT["smoothing.rotation_cutoff"]
    smoothing_rotation_per_speed: float = _DEFAULT["smoothing.rotation_per_speed"]
    smoothing_distance_cutoff: float = _DEFAULT["smoothing.distance_cutoff"]
    smoothing_distance_per_speed: float = _DEFAULT["smoothing.distance_per_speed"]

    def __post_init__(self) -> None:
        for parameter in PARAMETERS:
            name = _attribute(parameter.name)
            object.__setattr__(self, name, parameter.check(getattr(self, name)))

    @classmethod
    def from_config(cls, values: Mapping[str, object]) -> Options:
        """Make options from parameters by their names with dots; the others take their defaults.

        Raises:
            ConfigError: If a name is unknown or a value is invalid.
        """
        return cls(**_attributes(validate(values)))

    def updated(self, changes: Mapping[str, object]) -> Options:
        """Copy the options with other values of live parameters, by their names with dots.

        Raises:
            ConfigError: If a parameter is unknown or not live, or a value is invalid.
        """
        return replace(self, **_attributes(check_live(changes)))

    @property
    def known_height(self) -> float | None:
        """`person_height` in metres; None if unknown."""
        return self.person_height or None


def _attribute(parameter: str) -> str:
    return parameter.replace(".", "_")


def _attributes(values: Mapping[str, Any]) -> dict[str, Any]:
    return {_attribute(name): value for name, value in values.items()}
