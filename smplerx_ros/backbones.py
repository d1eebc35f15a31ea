"""The backbones that the parameters ask for."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from .body import BodyModel
from .errors import ConfigError, ModelFileError
from .types import BodyEstimate, Observation


class Backbone(Protocol):
    """Turns observations into bodies; may remember people by their id."""

    name: str
    confirms_people: bool  # answers None where nobody is; otherwise detections have to confirm people

    @property
    def runtime(self) -> str:
        """What runs its networks."""

    def estimate(self, observations: Sequence[Observation]) -> list[BodyEstimate | None]:
        """One answer per observation, in their order; None where no body was found. Every frame has a camera."""

    def forget(self, ids: Collection[str]) -> None:
        """People who have left."""

    def reset(self) -> None:
        """Forget everybody."""


def load_backbones(
    config: Mapping[str, Any], body: BodyModel, threads: int | None, *, bundles_only: bool
) -> list[Backbone]:
    """The configured one, then those of `latency.fallback_weights`.

    Raises ConfigError for parameters that do not go together, ModelFileError for an unusable file.
    """
    if config["backbone"] == "lite":
        return [_lite(config, body, threads)]
    from .models.bundle import Bundle
    from .models.estimation import NetworkBackbone, load_configured

    height = known_height(config)
    main = NetworkBackbone(load_configured(config, threads, bundles_only=bundles_only), body, height)
    smaller: list[Backbone] = []
    for folder in config["latency.fallback_weights"]:
        try:
            backbone = Bundle.load(folder, verify=False).backbone
            options = {**config, "backbone": backbone, "weights": folder, "runtime": "auto", "precision": "auto"}
            smaller.append(NetworkBackbone(load_configured(options, threads, bundles_only=True), body, height))
        except ModelFileError as error:
            raise ModelFileError(f"parameter 'latency.fallback_weights': {error}") from error
    return [main, *smaller]


def _lite(config: Mapping[str, Any], body: BodyModel, threads: int | None) -> Backbone:
    if config["latency.fallback_weights"]:
        raise ConfigError(
            "parameter 'latency.fallback_weights': backbone 'lite' has nothing to fall back on; leave it empty"
        )
    taken = {"runtime": ("auto", "onnx"), "precision": ("auto", "fp32"), "weights": ("",), "gpu_mode": ("plain",)}
    for name, choices in taken.items():
        if config[name] not in choices:
            raise ConfigError(f"parameter {name!r}: backbone 'lite' takes {' or '.join(map(repr, choices))} only")
    from .lite.backbone import LiteBackbone
    from .lite.landmark_estimator import LandmarkEstimator

    return LiteBackbone(body, LandmarkEstimator(config["device"], threads), known_height(config))


def known_height(config: Mapping[str, Any]) -> float | None:
    """Metres, or None where it is not known."""
    return config["person_height"] or None
