"""Backbones and detectors, loaded as the options say."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from smplerx_ros.backbones.backbone import Backbone
from smplerx_ros.backbones.registry import get_backbone
from smplerx_ros.backbones.smpler_x.bundle import Bundle, convert_hint, is_bundle
from smplerx_ros.backbones.smpler_x.model import Model
from smplerx_ros.body import BodyModel
from smplerx_ros.config.options import Options
from smplerx_ros.detection import Detector
from smplerx_ros.errors import ConfigError, ModelFileError
from smplerx_ros.runtime.providers import CPU


def load_backbones(options: Options, body: BodyModel, *, bundles_only: bool) -> list[Backbone]:
    """The configured one, then those of `latency.fallback_weights`.

    Raises ConfigError for parameters that do not go together, ModelFileError for an unusable file.
    """
    if options.backbone == "lite":
        return [_lite(options, body)]
    from smplerx_ros.backbones.smpler_x.estimation import NetworkBackbone

    main = NetworkBackbone(load_network(options, bundles_only=bundles_only), body, options.known_height)
    smaller: list[Backbone] = []
    for folder in options.latency_fallback_weights:
        try:
            backbone = Bundle.load(folder, verify=False).backbone
            own = replace(options, backbone=backbone, weights=folder, runtime="auto", precision="auto")
            smaller.append(NetworkBackbone(load_network(own, bundles_only=True), body, options.known_height))
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
    from smplerx_ros.backbones.lite.backbone import LiteBackbone
    from smplerx_ros.backbones.lite.landmark_estimator import LandmarkEstimator

    return LiteBackbone(body, LandmarkEstimator(options.device, options.threads or None), options.known_height)


def load_network(options: Options, *, bundles_only: bool) -> Model:
    """The network that `backbone weights runtime device precision threads gpu_mode` ask for.

    `auto` stands for the bundle's own runtime and precision; for a checkpoint, which `bundles_only` refuses, for ONNX
    Runtime and fp32. Raises ConfigError and ModelFileError as `load_model` does.
    """
    if not options.weights:
        raise ConfigError(f"parameter 'weights': backbone {options.backbone!r} needs a bundle; {convert_hint()}")
    try:
        return _load(options, bundles_only)
    except ModelFileError as error:
        raise ModelFileError(f"parameter 'weights': {error}") from error


def _load(options: Options, bundles_only: bool) -> Model:
    from smplerx_ros.backbones.smpler_x.loading import load_bundle, load_model

    path, runtime = options.weights, options.runtime
    if runtime == "auto":
        runtime = Bundle.load(path, verify=False).runtime if is_bundle(path) else "onnx"
    chosen: dict[str, Any] = {
        "runtime": runtime,
        "device": options.device,
        "precision": None if options.precision == "auto" else options.precision,
        "threads": options.threads or None,
        "gpu_mode": options.gpu_mode,
    }
    if bundles_only:
        return load_bundle(get_backbone(options.backbone), path, **chosen)
    return load_model(options.backbone, path, **chosen)


def load_detectors(options: Options) -> tuple[Detector, Detector] | tuple[None, None]:
    """`load_detector`, and one for detections beside the estimation, which on a CPU has half of the threads.

    A network that shares its cores with another one waits for the slower half of each step.
    """
    detector = load_detector(options)
    if detector is None:
        return None, None
    count = options.threads or os.cpu_count() or 1
    if count == 1 or getattr(detector, "provider", None) != CPU:
        return detector, detector
    beside = load_detector(replace(options, threads=count // 2))
    assert beside is not None
    return detector, beside


def load_detector(options: Options) -> Detector | None:
    """The detector that is asked for; None where boxes come with the frames.

    Raises ConfigError for parameters that do not fit together, ModelFileError for a file that cannot be used.
    """
    kind, threads, threshold = options.detector, options.threads or None, options.detection_threshold
    if kind != "onnx" and options.detection_model:
        raise ConfigError(f"parameter 'detection.model': detector {kind!r} takes no file; use detector: onnx")
    if kind == "topic":
        return None
    if kind == "full_frame":
        from smplerx_ros.detection.full_frame import FullFrameDetector

        return FullFrameDetector()
    if kind == "onnx":
        from smplerx_ros.detection.onnx import OnnxDetector

        if not options.detection_model:
            raise ConfigError("parameter 'detection.model': detector 'onnx' needs the path of an ONNX file")
        chosen = {"person": options.detection_class, "format": options.detection_format}
        return OnnxDetector(options.detection_model, options.device, threads, threshold, **chosen)
    from smplerx_ros.detection.builtin import BuiltinDetector

    return BuiltinDetector(options.device, threads, threshold)
