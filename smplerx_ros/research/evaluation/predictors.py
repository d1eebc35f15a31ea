"""Predictors under evaluation: a network on crops, or any other backbone on boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from smplerx_ros.arrays import FloatArray
from smplerx_ros.backbones.backbone import Backbone
from smplerx_ros.backbones.registry import get_backbone
from smplerx_ros.backbones.smpler_x.bundle import MANIFEST, is_bundle, sha256
from smplerx_ros.backbones.smpler_x.model import Model
from smplerx_ros.body import BodyModel
from smplerx_ros.config.options import Options
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.geometry.camera import Camera
from smplerx_ros.geometry.crops import crop_box, virtual_camera
from smplerx_ros.pipeline.loading import load_backbones, load_network
from smplerx_ros.types import Frame, Observation, SmplxParams


@dataclass(frozen=True, eq=False)
class Query:
    """One person in an image."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    box: Box  # pixels
    ratio: float  # crop to box
    camera: Camera | None = None  # None: intrinsics unknown


@dataclass(frozen=True, eq=False)
class Prediction:
    """An estimated body and the pinhole camera that projects it into the image."""

    params: SmplxParams  # unbatched, optical frame
    k: FloatArray  # (3, 3) pixels

    def pixels(self, points: FloatArray) -> FloatArray:
        """Project points `(P, 3)`, metres, into the image: `(P, 2)` pixels."""
        return np.asarray(points[:, :2] / points[:, 2:] * self.k[[0, 1], [0, 1]] + self.k[:2, 2])


class Predictor(Protocol):
    """Estimates the bodies of several people at once."""

    detection_ratio: float  # crop to box, for detected boxes

    def predict(self, queries: Sequence[Query]) -> list[Prediction | None]:
        """Return one prediction per query; None where nothing was estimated."""

    @property
    def metadata(self) -> dict[str, Any]:
        """Backbone, runtime and weights."""


def load_predictor(values: Mapping[str, Any], body: BodyModel) -> Predictor:
    """Load the predictor of a backbone.

    Args:
        values: Estimator parameters (`backbone`, `weights`, `runtime`, `device`, `precision`, `threads`); those not
            given have their default values.
        body: Neutral body model.

    Raises:
        ConfigError: If a parameter is invalid.
        ModelFileError: If a model file cannot be loaded.
    """
    options = Options.from_config(values)
    if get_backbone(options.backbone).needs_weights:
        return NetworkPredictor(load_network(options, bundles_only=False), _weights(options.weights))
    return BackbonePredictor(load_backbones(options, body, bundles_only=False)[0])


class NetworkPredictor:
    """A network evaluated as by its authors: its raw output in the crop's virtual camera, without localization."""

    def __init__(self, model: Model, weights: str = "") -> None:
        self._model = model
        self._weights = weights
        self.detection_ratio = model.backbone.box_ratio

    @property
    def metadata(self) -> dict[str, Any]:
        """Backbone, runtime and weights."""
        runtime = f"{self._model.network.provider} {self._model.precision}"
        return {"backbone": self._model.backbone.name, "runtime": runtime, "weights": self._weights}

    def predict(self, queries: Sequence[Query]) -> list[Prediction | None]:
        """Return one prediction per query; None where the box lies (almost) outside the image."""
        regions = [crop_box(q.box, q.image.shape[1], q.image.shape[0], q.ratio) for q in queries]
        kept = [(i, region) for i, region in enumerate(regions) if region is not None]
        predictions: list[Prediction | None] = [None] * len(queries)
        if kept:
            images = [queries[i].image for i, _ in kept]
            params = self._model.predict_regions(images, [region for _, region in kept]).params
            for k, (i, region) in enumerate(kept):
                predictions[i] = Prediction(params[k], virtual_camera(region))
        return predictions


class BackbonePredictor:
    """A backbone that needs more than a crop, such as `lite`; each query is a new person, without tracking."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._ids = (f"p{n}" for n in count())
        self.detection_ratio = get_backbone(backbone.name).box_ratio

    @property
    def metadata(self) -> dict[str, Any]:
        """Backbone and runtime."""
        return {"backbone": self._backbone.name, "runtime": self._backbone.runtime, "weights": ""}

    def predict(self, queries: Sequence[Query]) -> list[Prediction | None]:
        """Return one prediction per query; None where no body was found."""
        observations = [self._observation(query) for query in queries]
        bodies = self._backbone.estimate(observations)
        self._backbone.forget([seen.id for seen in observations])
        predictions: list[Prediction | None] = []
        for seen, body in zip(observations, bodies, strict=True):
            camera = seen.frame.camera
            predictions.append(None if body is None or camera is None else Prediction(body.params, camera.k))
        return predictions

    def _observation(self, query: Query) -> Observation:
        height, width = query.image.shape[:2]
        camera = query.camera or Camera.from_fov(width, height)
        return Observation(Frame(query.image, camera), next(self._ids), self._tight(query))

    def _tight(self, query: Query) -> Box:
        """Return the box that a detector would give: the backbone pads it by `detection_ratio` itself."""
        box, factor = query.box, query.ratio / self.detection_ratio
        dx, dy = box.width * (factor - 1) / 2, box.height * (factor - 1) / 2
        return Box(box.x0 - dx, box.y0 - dy, box.x1 + dx, box.y1 + dy, box.score)


def _weights(path: str) -> str:
    """Identify weights by name, and by the hash of the bundle's manifest or the size of the file."""
    weights = Path(path)
    mark = sha256(weights / MANIFEST)[:12] if is_bundle(weights) else f"{weights.stat().st_size} bytes"
    return f"{weights.name} ({mark})"
