"""The backbones that the parameters ask for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Protocol

from .body import BodyModel
from .errors import ConfigError, ModelFileError
from .options import Options
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


def load_backbones(options: Options, body: BodyModel, *, bundles_only: bool) -> list[Backbone]:
    """The configured one, then those of `latency.fallback_weights`.

    Raises ConfigError for parameters that do not go together, ModelFileError for an unusable file.
    """
    if options.backbone == "lite":
        return [_lite(options, body)]
    from .models.bundle import Bundle
    from .models.estimation import NetworkBackbone, load_configured

    main = NetworkBackbone(load_configured(options, bundles_only=bundles_only), body, options.known_height)
    smaller: list[Backbone] = []
    for folder in options.latency_fallback_weights:
        try:
            backbone = Bundle.load(folder, verify=False).backbone
            own = replace(options, backbone=backbone, weights=folder, runtime="auto", precision="auto")
            smaller.append(NetworkBackbone(load_configured(own, bundles_only=True), body, options.known_height))
        except ModelFileError as error:
            raise ModelFileError(f"parameter 'latency.fallback_weights': {error}") from error
    return [main, *smaller]


def _lite(options: Options, body: BodyModel) -> Backbone:
    if options.latency_fallback_weights:
        raise ConfigError(
            "parameter 'latency.fallback_weights': backbone 'lite' has nothing to fall back on; leave it empty"
        )
    taken = {"runtime": ("auto", "onnx"), "precision": ("auto", "fp32"), "weights": ("",), "gpu_mode": ("plain",)}
    for name, choices in taken.items():
        if getattr(options, name) not in choices:
            raise ConfigError(f"parameter {name!r}: backbone 'lite' takes {' or '.join(map(repr, choices))} only")
    from .lite.backbone import LiteBackbone
    from .lite.landmark_estimator import LandmarkEstimator

    return LiteBackbone(body, LandmarkEstimator(options.device, options.threads or None), options.known_height)
