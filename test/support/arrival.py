"""Observable effect of every estimator parameter, for tests that parameters arrive where they act.

`ESTIMATOR` has an entry for each of `config.PARAMETERS`. Loaders of networks are replaced by fakes that record their
arguments (`replace_loaders`); everything between the parameters and the fakes is the real code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from smplerx_ros.backbones.registry import get_backbone
from smplerx_ros.body import BodyModel
from smplerx_ros.geometry.boxes import Box
from smplerx_ros.pipeline.estimator import Estimator
from smplerx_ros.runtime.providers import CPU
from smplerx_ros.types import BodyEstimate, Estimated, Frame, SmplxParams
from support.bodies import standin

BODY = standin()
SOMEBODY, NOBODY = np.full((480, 640, 3), 90, np.uint8), np.zeros((480, 640, 3), np.uint8)
RATE_NS, RARE_NS = 33_000_000, 250_000_000  # frame intervals; the longer one is too long for background detection
FACING = np.array([np.pi, 0, 0])


@dataclass(frozen=True)
class Entry:
    """A parameter value other than the default, and how to observe its effect."""

    value: Any
    seen: Callable[[Any], Any]  # observes the effect on an estimator, or a node
    beside: Mapping[str, Any] = field(default_factory=dict)  # other parameters that it requires


class Detector:
    """Fake detector that finds one person in images that are not black."""

    provider = CPU

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.arguments, self.options = arguments, options
        self.threshold = arguments[-1] if arguments else 0.0
        self.calls = 0

    def detect(self, images: Any) -> list[list[Box]]:
        self.calls += len(images)
        return [[Box(90, 70, 410, 410, 0.9)] if image.any() else [] for image in images]


class FullFrame(Detector):
    """Fake of the detector `full_frame`."""


class Backbone:
    """Fake backbone: people in the boxes, 3 m away, with noise; nobody in black images."""

    name, runtime, confirms_people = "lite", "none", True

    def __init__(self, body: BodyModel, landmarks: SimpleNamespace, person_height: float | None) -> None:
        self.landmarks, self.person_height = landmarks, person_height
        self._random = np.random.default_rng(0)

    def estimate(self, observations: Any) -> list[BodyEstimate | None]:
        return [self._body(o) if o.frame.image.any() else None for o in observations]

    def _body(self, observation: Any) -> BodyEstimate:
        middle = (observation.box.xyxy[:2] + observation.box.xyxy[2:]) / 2
        ray = np.append(observation.frame.camera.normalize(middle), 1)
        noise, distance = 0.1 * self._random.normal(size=3), 3 + 0.2 * self._random.normal()
        known = Estimated.TRANSL | Estimated.GLOBAL_ORIENT
        params = replace(SmplxParams.rest(), global_orient=FACING + noise, transl=distance * ray, estimated=known)
        return BodyEstimate(0.9, params, np.ones(55))

    def forget(self, ids: Any) -> None:
        pass

    def reset(self) -> None:
        pass


def replace_loaders(patch: pytest.MonkeyPatch) -> None:
    """Replace all loaders by fakes that read no files and record their arguments."""

    def body(path: str | None) -> BodyModel:
        loaded = copy(BODY)
        loaded.name = path or BODY.name
        return loaded

    def network(backbone: Any, path: str, **options: Any) -> SimpleNamespace:
        entry = get_backbone(backbone) if isinstance(backbone, str) else backbone
        provider = SimpleNamespace(provider="none")
        return SimpleNamespace(backbone=entry, path=path, options=options, network=provider, precision="fp32")

    patch.setattr("smplerx_ros.pipeline.estimator.load_body", body)
    patch.setattr("smplerx_ros.backbones.smpler_x.loading.load_bundle", network)
    patch.setattr("smplerx_ros.backbones.smpler_x.loading.load_model", network)
    bundle = SimpleNamespace(backbone="s32", runtime="onnx")
    patch.setattr("smplerx_ros.backbones.smpler_x.bundle.Bundle.load", lambda path, verify: bundle)
    patch.setattr("smplerx_ros.backbones.lite.backbone.LiteBackbone", Backbone)
    patch.setattr(
        "smplerx_ros.backbones.lite.landmark_estimator.LandmarkEstimator",
        lambda device, threads: SimpleNamespace(device=device, threads=threads),
    )
    patch.setattr("smplerx_ros.detection.builtin.BuiltinDetector", Detector)
    patch.setattr("smplerx_ros.detection.onnx.OnnxDetector", Detector)
    patch.setattr("smplerx_ros.detection.full_frame.FullFrameDetector", FullFrame)
    patch.setattr(Estimator, "warm_up", lambda self: None)


def frame(k: int, image: Any = SOMEBODY, every_ns: int = RATE_NS, **options: Any) -> Frame:
    return Frame(image, stamp_ns=(k + 1) * every_ns, **options)


def motion(estimator: Estimator) -> list[list[float]]:
    """Return position and rotation of a person over a few noisy frames."""
    people = [estimator.estimate(frame(k))[0] for k in range(6)]
    return [np.round([*p.params.transl, *p.params.global_orient], 5).tolist() for p in people]


def network(name: str) -> Callable[[Any], Any]:
    """Return a function that reads an option with which the network of a bundle was loaded."""
    return lambda estimator: vars(estimator._estimation._backbones[0]._model)["options"][name]


def weights(estimator: Any) -> list[str]:
    return [backbone._model.path for backbone in estimator._estimation._backbones]


def devices(estimator: Any) -> tuple[Any, ...]:
    (backbone,) = estimator._estimation._backbones
    return (
        backbone.landmarks.device,
        estimator._identification._detection._detector.arguments[0],
        estimator._identification._detection._background_detector.arguments[0],
    )


def threads(estimator: Any) -> tuple[Any, ...]:
    (backbone,) = estimator._estimation._backbones
    return (
        backbone.landmarks.threads,
        estimator._identification._detection._detector.arguments[1],
        estimator._identification._detection._background_detector.arguments[1],
    )


def thresholds(estimator: Any) -> tuple[Any, ...]:
    """Return the thresholds of both detectors, and whether external detections are accepted."""
    given = frame(0, detections=(Box(90, 70, 410, 410, 0.5),))
    return (
        estimator._identification._detection._detector.threshold,
        estimator._identification._detection._background_detector.threshold,
        len(estimator.estimate(given)),
    )


def detections(estimator: Any) -> int:
    for k in range(12):
        estimator.estimate(frame(k, every_ns=RARE_NS))
    return int(estimator._identification._detection._detector.calls)


def crowd(estimator: Any) -> int:
    boxes = tuple(Box(x, 100, x + 100, 206, 0.9) for x in (20, 180, 340, 500))
    return len(estimator.estimate(frame(0, detections=boxes)))


def identities(estimator: Any) -> set[str]:
    """Return the ids of a person who is occluded for two seconds."""
    images = [SOMEBODY] * 3 + [NOBODY] * 60 + [SOMEBODY] * 3
    return {person.id for k, image in enumerate(images) for person in estimator.estimate(frame(k, image))}


def prefix(estimator: Any) -> str:
    return str(estimator.estimate(frame(0))[0].id.rstrip("0123456789"))


def spared(estimator: Any) -> str:
    """Return the degradation: a frame takes more than a microsecond, and less than a second."""
    return [estimator.process(frame(k)).degraded_text for k in range(20)][-1]


def focal_length(estimator: Any) -> float:
    return float(estimator.process(frame(0)).camera.k[0, 0])


def known_size(estimator: Any) -> tuple[Any, ...]:
    """Return the person height of the backbone, and the variance of the distance."""
    (person,) = estimator.estimate(frame(0))
    return estimator._estimation._backbones[0].person_height, round(float(person.pose_covariance[2, 2]), 6)


def detector_options(estimator: Any) -> tuple[Any, ...]:
    detector = estimator._identification._detection._detector
    return type(detector).__name__, detector.arguments[:1], tuple(sorted(detector.options.items()))


S32 = {"backbone": "s32", "weights": "a_bundle"}
ONNX = {"detector": "onnx", "detection.model": "a.onnx"}
ESTIMATOR: dict[str, Entry] = {
    "backbone": Entry("b32", lambda e: e._estimation._backbones[0].name, {"weights": "a_bundle"}),
    "weights": Entry("another_bundle", weights, S32),
    "body_model": Entry("SMPLX_OTHER.npz", lambda e: e.body.name),
    "runtime": Entry("torch", network("runtime"), S32),
    "device": Entry("cpu", devices),
    "precision": Entry("fp16", network("precision"), S32),
    "gpu_mode": Entry("graphs", network("gpu_mode"), S32),
    "threads": Entry(6, threads),
    "detector": Entry("full_frame", detector_options),
    "detection.model": Entry("b.onnx", detector_options, {"detector": "onnx"}),
    "detection.format": Entry("yolov8", detector_options, ONNX),
    "detection.class": Entry("pedestrian", detector_options, ONNX),
    "detection.threshold": Entry(0.7, thresholds),
    "detection.interval": Entry(1, detections),
    "max_people": Entry(3, crowd),
    "tracker.max_age": Entry(5.0, identities),
    "id_prefix": Entry("robot", prefix),
    "latency.budget_ms": Entry(1.0, spared),
    "latency.fallback_weights": Entry(("smaller", "smallest"), weights, S32),
    "person_height": Entry(1.5, known_size),
    "default_fov": Entry(100.0, focal_length),
    "smoothing.enabled": Entry(False, motion),
    "smoothing.rotation_cutoff": Entry(5.0, motion),
    "smoothing.rotation_per_speed": Entry(100.0, motion),
    "smoothing.distance_cutoff": Entry(5.0, motion),
    "smoothing.distance_per_speed": Entry(100.0, motion),
}
# Substitutes for defaults that cannot be combined with the other parameters of an entry.
NO_DEFAULT = {"backbone": "s32", "detection.model": "a.onnx"}
